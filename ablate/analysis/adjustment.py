"""The p values of a study's tested claims, adjusted over all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ablate.analysis.finding import Finding
from ablate.analysis.step_down import holm_both


@dataclass(frozen=True)
class Adjusted:
    """Of one claim, after Holm over the tested claims.

    Attributes:
        p: of the hypothesis that a verdict with a difference rejects; held against alpha.
        p_equivalence: of a difference that matters, one-sided; held against alpha / 2. NaN where ranks decide.
        p_signflip: of the hypothesis of `p`, where the sign-flips of all claims decided.
    """

    p: float
    p_equivalence: float
    p_signflip: float


NOTHING = Adjusted(math.nan, math.nan, math.nan)


def adjust(findings: Sequence[Finding]) -> list[Adjusted]:
    """The adjusted p values of claims that were all tested."""
    if not findings:
        return []
    equivalence = [one.p_equivalence for one in findings]
    closes = [one.figures.expect == "zero" or one.figures.margin == 0 for one in findings]
    different, same = holm_both([one.p for one in findings], equivalence, closes)
    flipped, _ = holm_both([one.p_signflip for one in findings], equivalence, closes)
    return [Adjusted(*map(float, values)) for values in zip(different, same, flipped, strict=True)]
