"""Holm's steps over the claims of a study, each of which counts once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ablate.analysis.statistics import FloatArray


def holm_once(p_difference: ArrayLike, p_equivalence: ArrayLike, is_zero: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Both p values of each claim, adjusted over the claims of a study by Holm's steps.

    Holm (1979, "A simple sequentially rejective multiple test procedure") multiplies the smallest p by the number of
    claims, the next one by one less, and so on; no p gets less than one before it.

    A claim that expects a sign is tested for a difference. One that expects zero is tested both ways, for an effect
    within the margin and for one beyond it. Only one of these two hypotheses can be true, so such a claim counts once,
    by the smaller of its p values, as logically related hypotheses do (Shaffer 1986, "Modified sequentially rejective
    multiple test procedures", JASA 81). So in at most alpha of studies any `supported` or `contradicted` is false.

    That a difference which is expected does not matter (`equivalent`) is shown for each claim by itself: its interval
    lies within the margin, whatever the other claims say. Its p is returned as it came.

    Args:
        p_difference: two-sided, shape (..., claims).
        p_equivalence: one-sided (`equivalence_p`); NaN where a test can show no such thing.
        is_zero: whether the claim expects zero.

    Returns:
        The adjusted p of a difference, to compare with alpha, and that of equivalence, with alpha / 2.
    """
    different = np.asarray(p_difference, dtype=np.float64)
    same = np.asarray(p_equivalence, dtype=np.float64)
    smaller = np.where(is_zero, np.fmin(different, 2 * same), different)
    order = np.argsort(smaller, axis=-1)
    steps = np.arange(different.shape[-1], 0, -1)
    times, least = np.empty_like(smaller), np.empty_like(smaller)
    np.put_along_axis(times, order, np.broadcast_to(steps, smaller.shape).astype(np.float64), axis=-1)
    raised = np.maximum.accumulate(np.take_along_axis(smaller, order, axis=-1) * steps, axis=-1)
    np.put_along_axis(least, order, raised, axis=-1)
    adjusted = np.minimum(1.0, np.maximum(least, times * different))
    adjusted_same = np.minimum(1.0, np.maximum(least, times * 2 * same)) / 2
    return adjusted, np.where(is_zero, adjusted_same, same)
