"""Seeds that are added by hand until a claim is supported, judged by `judge`: what its p, and a plan's, are worth."""

from __future__ import annotations

from functools import cache

import numpy as np

from ablate.analysis import judge

from .tables import claim, paired

LOOKS = (6, 9, 12)
STUDIES = 2_000


@cache
def rates(studies: int = STUDIES) -> dict[str, float]:
    """Parts of studies with one claim and no effect that somebody who looks at 6, 9 and 12 seeds finds something in.

    Returns:
        `plain`: where p falls below 0.05 at some look; `last`: the p of a plan over all looks, at the last of them;
        `first`: the p of a plan over the looks so far, at whichever look it falls below 0.05 first.
    """
    found = {"plain": 0, "last": 0, "first": 0}
    for values in np.random.default_rng(12).normal(size=(studies, LOOKS[-1])):
        plain, corrected = [], []
        for place, n in enumerate(LOOKS):
            before = {"gap": LOOKS[:place]} if place else None
            (verdict,) = judge(paired(values[:n]), [claim(margin=0.0)], judged_before=before)
            plain.append(verdict.p_holm)
            corrected.append(verdict.p_over_looks if place else verdict.p_holm)
        found["plain"] += min(plain) < 0.05
        found["last"] += corrected[-1] < 0.05
        found["first"] += min(corrected) < 0.05
    return {name: number / studies for name, number in found.items()}
