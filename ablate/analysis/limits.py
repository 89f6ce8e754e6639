"""What a verdict does not say: the other half of every sentence."""

from __future__ import annotations

from ablate.analysis.clusters import COLLAPSE, unseen
from ablate.analysis.notes import RARE, says_no_difference
from ablate.analysis.rounding import RELATIVE
from ablate.analysis.verdict import EXACT, Verdict


def limits_of(verdict: Verdict) -> str:
    """What was not shown, in one sentence; empty where nothing was tested."""
    if not verdict.is_tested or verdict.n == 0:
        return ""
    if verdict.test == EXACT:
        return "This is a property of the networks as they are built; it says nothing of how they train."
    text = {
        "supported": _of_supported,
        "contradicted": _of_contradicted,
        "equivalent": lambda _: (
            "Not shown: that there is no difference at all, or none that matters under other conditions."
        ),
        "inconclusive": _of_inconclusive,
    }[verdict.verdict](verdict)
    return f"{text}{_of_the_unseen(verdict)}"


def _of_the_unseen(verdict: Verdict) -> str:
    """What few seeds may not have met, for verdicts that rest on a mean; where none is said, a note says it."""
    chance = unseen(verdict.n)
    if verdict.low is None or verdict.open or says_no_difference(verdict) or chance <= RARE:
        return ""
    return (
        f" Nor what a collapse of training would do to the mean: one that befalls {100 * COLLAPSE:g} % of the seeds of "
        f"an arm stays unseen in {100 * chance:.0f} % of studies with {verdict.n}."
    )


def _of_supported(verdict: Verdict) -> str:
    if verdict.expect == "zero":
        return "Not shown: that the difference is exactly zero, or stays this small under other conditions."
    if verdict.is_ranked:
        return "Not shown: how large the difference is, as ranks have no interval."
    end = _near_end(verdict)
    needed = verdict.bounds[1] if verdict.expect == "positive" else -verdict.bounds[0]
    if end is not None and end < needed * (1 - RELATIVE):
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
    return end if end is not None and verdict.bounds[0] < end < verdict.bounds[1] else None
