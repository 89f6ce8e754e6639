"""Settings of a study that contradict each other: each is refused, since one of the two would silently be ignored."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablate.config.compose import settings_of
from ablate.config.overrides import Typed, parse
from ablate.config.roles import is_comparable
from ablate.errors import InputError
from ablate.study.arms import Arm

if TYPE_CHECKING:
    from ablate.study.cells import Cell

Arms = Mapping[str, Sequence[Typed]]


def parse_own(owner: str, overrides: Sequence[str]) -> list[Typed]:
    """Read overrides of the study itself, such as an arm's.

    Raises:
        InputError: one is not an override, sets what cannot be compared, or sets what another one sets too.
    """
    try:
        parsed = parse(overrides)
    except InputError as error:
        raise InputError(f"{owner}: {error}") from error
    owners: dict[str, str] = {}
    for override in parsed:
        if not is_comparable(override.key):
            raise InputError(f"{owner} sets {override.text}, which is no part of what is compared")
        # By leaves: `image={size: 8}` and `image.size=16` set the same key in two ways.
        for key in override.leaves:
            if key in owners:
                raise InputError(f"{owner} sets {key} twice: {owners[key]} and {override.text}")
            owners[key] = override.text
    return parsed


def refuse_typed_arms(compared: Sequence[Typed], arms: Arms, designs: Collection[str] = ("arms",)) -> None:
    """What an arm sets cannot be typed as well.

    Args:
        compared: what the user typed of what is compared.
        arms: what each arm sets.
        designs: the parts of the study that its arms come from.
    """
    owners: dict[str, list[str]] = {}
    for arm, overrides in arms.items():
        for override in overrides:
            for key in override.leaves:
                owners.setdefault(key, []).append(f"{arm}: {override.text}")
    places = [f"study.{design}.{'NAME' if design == 'arms' else 'PART'}" for design in dict.fromkeys(designs)]
    for override in compared:
        for key in override.leaves:
            if key in owners:
                raise InputError(
                    f"'{override.text}' names what the study's arms set ({'; '.join(owners[key])}); leave it out, "
                    f"change the arm with {' or '.join(f'{place}=[...]' for place in places)}, "
                    f"or drop it with {' or '.join(f'~{place}' for place in places)}"
                )


def refuse_swept_arms(factors: Mapping[str, str], arms: Arms) -> None:
    """A factor is part of what is compared, and no arm sets it.

    Args:
        factors: where each factor stands, such as `study.grid.depth`.
        arms: what each arm sets.
    """
    for factor, where in factors.items():
        if not is_comparable(factor):
            raise InputError(f"{where} is no part of what is compared (seeds are in study.seeds)")
        for arm, overrides in arms.items():
            for override in overrides:
                if factor in override.leaves:
                    raise InputError(f"arm '{arm}' sets {override.text}, and {where} sweeps it; drop one")


def refuse_taken_knobs(
    knobs: Mapping[str, str], typed: Sequence[Typed], factors: Mapping[str, str], arms: Arms
) -> None:
    """The knob of a matched arm is set by the search, and by nothing else.

    Args:
        knobs: the knob of each matched arm.
        typed: what the user typed.
        factors: where each factor stands, such as `study.grid.depth`.
        arms: what each arm sets.
    """
    for arm, knob in knobs.items():
        adjusts = f"arm '{arm}' adjusts {knob} to match its baseline"
        if not is_comparable(knob):
            raise InputError(f"{adjusts}, and {knob} is no part of what is compared")
        if knob in factors:
            raise InputError(f"{adjusts}, and {factors[knob]} sweeps it; drop one, or name another knob")
        for override in arms[arm]:
            if knob in override.leaves:
                raise InputError(f"{adjusts}, and sets {override.text}; drop one, or name another knob")
        for override in typed:
            if knob in override.leaves:
                raise InputError(
                    f"{adjusts}, and '{override.text}' would be lost there; leave it out, or set it in the baseline"
                )


def refuse_overruled_preset(compared: Sequence[Typed], grid: Mapping[str, Any], arms: Arms) -> None:
    """A preset (arch) sets values by itself, and the study must not set each of its cells to others."""
    preset = next((o for o in compared if o.key == "arch" and o.value is not None), None)
    if preset is None or "arch" in grid:
        return
    # Who pins the factor too has decided: then nothing of the preset is lost unseen.
    pinned = {key for o in compared for key in o.leaves}
    for key, value in settings_of("arch", preset.value).items():
        if key in grid and key not in pinned:
            raise InputError(
                f"'{preset.text}' sets {key}={value}, and this study sweeps {key}; leave it out, or pin {key} too"
            )
        # Where one arm leaves the key alone, the preset's value counts there, and is compared with the others.
        in_arms = [o.leaves[key] for overrides in arms.values() for o in overrides if key in o.leaves]
        if len(in_arms) == len(arms) and value not in in_arms:
            raise InputError(
                f"'{preset.text}' sets {key}={value}, and every arm of this study sets another; leave it out"
            )


def refuse_shared_streams(arms: Mapping[str, Arm], seeds: Sequence[int]) -> None:
    """Streams of its own that the study's seeds take as well would not be its own.

    Raises:
        InputError: an arm has such streams.
    """
    for arm in arms.values():
        streams = arm.streams(seeds)
        if arm.seeds_from is not None and (shared := sorted({*streams} & {*seeds})):
            raise InputError(
                f"arm '{arm.name}': seeds_from={arm.seeds_from} takes the streams {streams[0]} to {streams[-1]}, and "
                f"{shared[0]} is a seed of the study; begin elsewhere, such as at {1000 * (1 + max(seeds) // 1000)}"
            )


def refuse_twins(cells: Sequence[Cell], arms: Mapping[str, Arm]) -> None:
    """Two arms with the same config would be compared with themselves.

    An arm that a design makes may be the twin of another one, as long as neither is the baseline of the other: the
    cell that both share is trained once, and stands in the results of both.
    """
    seen: dict[str, list[Cell]] = {}
    for cell in cells:
        twins = seen.setdefault(cell.id, [])
        for twin in twins:
            if not _may_share(twin, cell, arms):
                raise InputError(
                    f"{_place(twin)} and {_place(cell)} have the same config: nothing to compare; "
                    f"give one of them an override that changes something"
                )
        twins.append(cell)


def _may_share(one: Cell, other: Cell, arms: Mapping[str, Arm]) -> bool:
    first, second = (arms.get(cell.arm) for cell in (one, other))
    # Within one arm, two points with one config are a factor without effect.
    if first is None or second is None or first is second:
        return False
    is_baseline = first.baseline == second.name or second.baseline == first.name
    # Designs make such twins by themselves: with two parts, leaving one out is adding the other. Written by hand, two
    # equal arms are a mistake.
    return not is_baseline and not first.design == second.design == "arms"


def _place(cell: Cell) -> str:
    point = " ".join(f"{factor}={value}" for factor, value in cell.factors.items())
    return f"arm '{cell.arm}'{' at ' if point else ''}{point}"
