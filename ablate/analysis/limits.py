"""What a verdict does not say: the other half of every sentence."""

from __future__ import annotations

from ablate.analysis.verdict import EXACT, SIGNED_RANK, Verdict


def limits_of(verdict: Verdict) -> str:
    """What was not shown, in one sentence; empty where nothing was tested."""
    if not verdict.is_tested or verdict.n == 0:
        return ""
    if verdict.test == EXACT:
        return "This is a property of the networks as they are built; it says nothing of how they train."
    return {
        "supported": _of_supported,
        "contradicted": _of_contradicted,
        "equivalent": lambda _: (
            "Not shown: that there is no difference at all, or none that matters under other conditions."
        ),
        "inconclusive": _of_inconclusive,
    }[verdict.verdict](verdict)


def _of_supported(verdict: Verdict) -> str:
    if verdict.expect == "zero":
        return "Not shown: that the difference is exactly zero, or stays this small under other conditions."
    if verdict.test == SIGNED_RANK:
        return "Not shown: how large the difference is, as a diverged cell has no figure."
    end = _near_end(verdict)
    if end is not None and verdict.margin and end < verdict.margin:
        return "Not shown: that the true difference is as large as the margin; the interval admits smaller ones."
    return "Not shown: that it holds for other data, sizes, depths or training than those that were run."


def _of_contradicted(verdict: Verdict) -> str:
    if verdict.expect == "zero":
        return "Not shown: that the source is wrong under its own conditions, if they are not those that were run."
    return (
        "Not shown: that the difference, which is of the other sign, is large enough to matter, "
        "or that the source is wrong under its own conditions."
        if _far_end(verdict) is not None
        else "Not shown: how large the difference of the other sign is, or that the source is wrong under its own "
        "conditions."
    )


def _of_inconclusive(verdict: Verdict) -> str:
    if verdict.open:
        return "Not shown yet: anything; the study goes on."
    return "Not shown: that there is no difference; too little is known to say."


def _near_end(verdict: Verdict) -> float | None:
    """The end of the interval that lies nearer to zero, counted in the expected direction."""
    end = verdict.low if verdict.expect == "positive" else verdict.high
    return None if end is None else (end if verdict.expect == "positive" else -end)


def _far_end(verdict: Verdict) -> float | None:
    """For a difference of the other sign whose interval reaches into the margin: its end there; None beyond it."""
    end = verdict.high if verdict.expect == "positive" else verdict.low
    return end if end is not None and abs(end) < verdict.margin else None
