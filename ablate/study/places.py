"""Claims checked against the cells that a study has: selectors must name some, averages be over the same points."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.analysis.selectors import Selector, added_up, parse_selector, says_nothing, value_text, weights_on
from ablate.config.schema import Claim
from ablate.errors import InputError
from ablate.study.points import Exclusions, is_excluded, point_text


@dataclass(frozen=True)
class Places:
    """Where a study has cells: each arm at each point, but for what is excluded."""

    arms: Collection[str]
    points: Sequence[Mapping[str, Any]]
    exclusions: Exclusions

    def of(self, selector: Selector, *, excluded: bool) -> list[str]:
        """The places that a selector names and that are excluded, or are not, by the factors that it leaves open."""
        return [
            point_text({factor: value for factor, value in point.items() if not selector.pins(factor)})
            for arm in self.arms
            for point in self.points
            if selector.matches(arm, point) and is_excluded(self.exclusions, arm, point) == excluded
        ]

    def is_told_apart(self, claim: Claim) -> bool:
        """Whether some cell counts in a claim, and does not cancel in its contrast."""
        cells = [
            (arm, point) for arm in self.arms for point in self.points if not is_excluded(self.exclusions, arm, point)
        ]
        terms = added_up(claim.contrast)
        values = {value_text(point.get(claim.trend)): point.get(claim.trend) for point in self.points}
        at_each = [{one.at(claim.trend, value): weight for one, weight in terms.items()} for value in values.values()]
        return any(any(weights_on(one, cells)) for one in (at_each if claim.trend else [terms]))


def idle_claims(claims: Sequence[Claim], places: Places) -> list[str]:
    """The claims whose selectors all name cells, and whose weights cancel on these: such a run cannot test them."""
    return [
        claim.id
        for claim in claims
        if all(places.of(selector, excluded=False) for selector in added_up(claim.contrast))
        and not places.is_told_apart(claim)
    ]


def refuse_idle_contrasts(claims: Sequence[Claim], designs: Sequence[Places]) -> None:
    """The weights of a contrast must not cancel on every cell, however its selectors are written.

    Raises:
        InputError: there is such a claim, in all of these designs.
    """
    for claim in claims:
        if not any(places.is_told_apart(claim) for places in designs):
            raise says_nothing(claim.id)


def refuse_empty_selectors(claims: Sequence[Claim], designs: Sequence[Places]) -> None:
    """A selector names a cell of the study, though its arm and values exist one by one.

    Args:
        claims: of the study.
        designs: the study as its file has it, and as the user changed it; a cell of either will do.

    Raises:
        InputError: what a selector names is left out, or is no position of the zip.
    """
    for claim in claims:
        for text in (*claim.contrast, *(gate.cells for gate in claim.requires)):
            selector = parse_selector(text)
            if not any(places.of(selector, excluded=False) for places in designs):
                raise InputError(
                    f"claim '{claim.id}', selector '{text}': the study has no such cell, by study.zip or study.exclude"
                )


def refuse_lopsided_averages(claims: Sequence[Claim], places: Places) -> None:
    """Selectors that leave a factor open average over its cells, so each must have lost the same ones to `exclude`.

    Raises:
        InputError: an exclusion would make a claim compare averages over different points.
    """
    for claim in claims:
        selectors = {text: parse_selector(text) for text in claim.contrast}
        if not all(places.of(selector, excluded=False) for selector in selectors.values()):
            continue  # this run lacks an arm or a point, and does not test the claim
        # By the factors left open only: those that a selector pins differ on purpose between the sides of a contrast.
        lost = {text: places.of(selector, excluded=True) for text, selector in selectors.items()}
        if any(others != one for one in lost.values() for others in lost.values()):
            text = next(text for text, points in lost.items() if points)
            raise InputError(
                f"claim '{claim.id}' averages over different grid points: study.exclude takes "
                f"{'; '.join(lost[text])} from {text}; name the points in the contrast, as ARM@FACTOR=VALUE"
            )
