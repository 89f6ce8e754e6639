"""The arms of a study: those written in its file, and those that its designs make, each with its baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ablate.analysis.metrics import SIZES
from ablate.errors import InputError, unknown
from ablate.study.arms import KNOB, Arm
from ablate.study.conflicts import parse_own
from ablate.study.entries import ARM_FIELDS
from ablate.study.fields import mapping, texts
from ablate.study.names import check_arm
from ablate.study.recipe_parts import add_one_in, leave_one_out

NO_ARM = "base"  # the one arm where nothing is compared


def arms_of(section: Mapping[str, Any]) -> dict[str, Arm]:
    """The arms by name: those written, then those of `leave_one_out` and `add_one_in`; `base` where there is none.

    A written arm without a `baseline` of its own has the study's, or else the first that is written. What a design
    makes is compared with the baseline of that design.

    Raises:
        InputError: an arm is not written as one, two have a name, or a baseline does not exist or leads in a circle.
    """
    written = [_written(str(name), node) for name, node in section["arms"].items()]
    made = [*leave_one_out(section["leave_one_out"]), *add_one_in(section["add_one_in"])]
    arms: dict[str, Arm] = {}
    for arm in [*written, *made]:
        if arm.name in arms:
            first = arms[arm.name].design
            other = "has it twice" if arm.design == first else f"study.{arm.design} makes one of that name"
            raise InputError(f"arm '{arm.name}' is written in study.{first}, and {other}")
        check_arm(arm.name)
        arms[arm.name] = arm
    default = _default_baseline(section["baseline"], written, arms)
    arms = {name: _with_baseline(arm, default) if arm.design == "arms" else arm for name, arm in arms.items()}
    _check_baselines(arms)
    _check_starts(arms)
    return arms or {NO_ARM: Arm(NO_ARM, [])}


def _written(name: str, given: Any) -> Arm:
    where = f"study.arms.{name}"
    fields: dict[str, Any] = (
        {"overrides": texts(where, given)} if isinstance(given, list) else mapping(where, given, ARM_FIELDS)
    )
    overrides = texts(f"{where}.overrides", fields.get("overrides", []))
    match, knob = fields.get("match"), fields.get("knob")
    if match is not None and match not in SIZES:
        raise unknown(f"match of arm '{name}'", str(match), SIZES)
    if match is None and knob is not None:
        raise InputError(f"arm '{name}' has the knob {knob} and nothing to match; add match: params or match: flops")
    knob = KNOB if match is not None and knob is None else knob
    # What an arm sets it declares, unless it says otherwise; the knob differs by intent as well.
    own = [override.key for override in parse_own(f"arm '{name}'", overrides)]
    default = [*own, *([] if knob is None else [str(knob)])]
    changes = texts(f"{where}.changes", fields.get("changes", default), "[order]")
    return Arm(
        name, overrides, fields.get("baseline"), changes, match, None if knob is None else str(knob),
        seeds_from=_first_stream(f"{where}.seeds_from", fields.get("seeds_from")),
        starts_from=fields.get("starts_from"),
    )  # fmt: skip


def _first_stream(where: str, given: Any) -> int | None:
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise InputError(f"{where}={given}: must be a whole number of at least 0, such as 1000")
    return given


def _default_baseline(named: str | None, written: Sequence[Arm], arms: Mapping[str, Arm]) -> str | None:
    if named is None:
        return written[0].name if written else None
    if named not in arms:
        raise unknown("arm in study.baseline", named, arms)
    if not written and named not in {arm.baseline for arm in arms.values()}:
        raise InputError(
            f"study.baseline={named}: it is that of the arms in study.arms, and there are none; "
            "leave_one_out compares with full, add_one_in with bare"
        )
    return named


def _with_baseline(arm: Arm, default: str | None) -> Arm:
    if arm.baseline is not None or arm.name == default:
        return arm
    return replace(arm, baseline=default)


def _check_starts(arms: Mapping[str, Arm]) -> None:
    for arm in arms.values():
        if arm.starts_from is not None and arm.starts_from not in arms:
            raise unknown(f"starts_from of arm '{arm.name}'", str(arm.starts_from), arms)
        way = [arm.name]
        while (onward := arms[way[-1]].starts_from) is not None:
            if onward in way:
                raise InputError(f"starts_from leads in a circle: {' -> '.join([*way[way.index(onward) :], onward])}")
            way.append(onward)


def _check_baselines(arms: Mapping[str, Arm]) -> None:
    for arm in arms.values():
        if arm.baseline is not None and arm.baseline not in arms:
            raise unknown(f"baseline of arm '{arm.name}'", str(arm.baseline), arms)
        if arm.match is not None and arm.baseline is None:
            raise InputError(f"arm '{arm.name}' is the baseline itself: there is no other to match {arm.match} with")
    for arm in arms.values():
        # A matched arm is matched with its baseline, whose own knob may be matched in turn: a circle would never end.
        way = [arm.name]
        while (onward := arms[way[-1]].baseline) is not None:
            if onward in way:
                circle = " -> ".join([*way[way.index(onward) :], onward])
                raise InputError(f"baselines lead in a circle: {circle}; name another with study.baseline")
            way.append(onward)
