"""What a reader must know of an arm besides its name: it changes more than it declares, or capacity too. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ablate.preflight.certificate.form import CANNOT_TELL, DIFFER, NOT_COMPARED, SAME, Certificate

# Relative change of parameters or multiply-adds beyond which an arm is larger or smaller than its baseline: what a
# matched control must keep within.
CAPACITY = 0.02
SIZES = ("width", "depth")  # an arm that declares one of these declares a change of capacity
# Relative differences of outputs below this may be rounding alone: single precision, grown over a hundred layers.
ROUNDING = 1e-4


@dataclass(frozen=True)
class Mark:
    """A caution about one arm.

    Attributes:
        arm: its name.
        kind: `undeclared`, `capacity`, `partial`, `same`, `rounding`, or `unclear`.
        text: a sentence without the arm's name and without a full stop.
        confounds: whether a difference between arm and baseline may come from something else than what is declared.
    """

    arm: str
    kind: str
    text: str
    confounds: bool


def marks(certificates: Iterable[Certificate]) -> list[Mark]:
    """The cautions that these certificates call for, arm by arm."""
    by_arm: dict[str, list[Certificate]] = {}
    for certificate in certificates:
        by_arm.setdefault(certificate.arm, []).append(certificate)
    checks: list[Callable[[list[Certificate]], Mark | None]] = [_undeclared, _capacity, _idle, _rounding, _unclear]
    found = (check(of_arm) for of_arm in by_arm.values() for check in checks)
    return [mark for mark in found if mark is not None]


def _undeclared(certificates: Sequence[Certificate]) -> Mark | None:
    keys = dict.fromkeys(factor for one in certificates for factor in one.undeclared)
    if not keys:
        return None
    one = certificates[0]
    text = f"changes more than it declares: {', '.join(keys)}, against baseline {one.baseline}"
    return Mark(one.arm, "undeclared", text, confounds=True)


def _capacity(certificates: Sequence[Certificate]) -> Mark | None:
    changed = [one for one in certificates if _is_resized(one.params_change) or _is_resized(one.flops_change)]
    if not changed or set(SIZES) & set(changed[0].declared):
        return None
    changes = [
        f"{name} {_range([getattr(one, attribute) for one in changed])}"
        for name, attribute in (("parameters", "params_change"), ("multiply-adds", "flops_change"))
        if any(_is_resized(getattr(one, attribute)) for one in changed)
    ]
    text = f"changes capacity too: {', '.join(changes)}{_at(changed, certificates)}"
    return Mark(changed[0].arm, "capacity", text, confounds=True)


def _is_resized(change: float) -> bool:
    """Beyond `CAPACITY`, and not by the rounding of a quotient."""
    return abs(change) > CAPACITY + 1e-12


def _idle(certificates: Sequence[Certificate]) -> Mark | None:
    """Where the arm does nothing: at some points altogether, or nothing but add parameters that take no part."""
    idle = [one for one in certificates if one.evidence.is_no_op]
    if idle and idle[0].seeds_from is not None:  # a null arm is there to change nothing
        return None
    if idle:
        places = "; ".join(one.place for one in idle)
        return Mark(idle[0].arm, "partial", f"changes nothing at {places}", confounds=False)
    same = [one for one in certificates if one.evidence.outputs == SAME and not one.evidence.recipe]
    same = [one for one in same if not one.evidence.unchecked]
    if not same:
        return None
    text = f"computes what baseline {same[0].baseline} computes: what it adds takes no part{_at(same, certificates)}"
    return Mark(same[0].arm, "same", text, confounds=False)


def _rounding(certificates: Sequence[Certificate]) -> Mark | None:
    small = [one for one in certificates if one.evidence.outputs == DIFFER and one.evidence.largest < ROUNDING]
    small = [one for one in small if not one.evidence.recipe]
    if not small:
        return None
    text = f"differs from baseline {small[0].baseline} by no more than rounding might{_at(small, certificates)}"
    return Mark(small[0].arm, "rounding", text, confounds=False)


def _unclear(certificates: Sequence[Certificate]) -> Mark | None:
    unclear = [one for one in certificates if one.evidence.outputs == CANNOT_TELL]
    # Points beyond the time budget are no caution as long as another point of the arm was compared.
    told = {one.evidence.outputs for one in certificates} & {SAME, DIFFER}
    if not unclear and not told:
        unclear = [one for one in certificates if one.evidence.outputs == NOT_COMPARED]
    if not unclear:
        return None
    text = f"its outputs could not be compared: {unclear[0].evidence.note}{_at(unclear, certificates)}"
    return Mark(unclear[0].arm, "unclear", text, confounds=False)


def _at(some: Sequence[Certificate], every: Sequence[Certificate]) -> str:
    """Where, if it is not everywhere."""
    return "" if len(some) == len(every) else f" (at {'; '.join(one.place for one in some)})"


def _range(changes: Sequence[float]) -> str:
    low, high = (f"{100 * change:+.3g} %" for change in (min(changes), max(changes)))
    return low if low == high else f"{low} to {high}"
