"""What stands beside a verdict: the figures of its test, and cautions."""

from __future__ import annotations

import math

from ablate.analysis.gate_wording import requirement, seen
from ablate.analysis.gates import GateReading
from ablate.analysis.peeking import alarms
from ablate.analysis.verdict import EXACT, Verdict
from ablate.report import format as fmt


def facts(verdict: Verdict) -> list[tuple[str, str]]:
    """Names and values of what decided, besides the effect and its interval; what is not known is left out."""
    contrast = f"{contrast_text(verdict)} in {fmt.metric_name(verdict.metric)}" if verdict.contrast else ""
    pairs = [
        ("contrast", contrast),
        ("expected", expected_text(verdict)),
        ("margin", fmt.margin(verdict.measure, verdict.margin)),
        ("margin because", verdict.margin_because),
        ("at other margins", _at_margins(verdict)),
        ("requires", "; ".join(map(_gate, verdict.gates))),
        ("looked at", looked_at(verdict)),
        (f"p ({verdict.test})", _p(verdict.p)),
        (_holm_name(verdict), _p(verdict.p_holm)),
        ("exact sign-flip p", _p(verdict.p_signflip)),
        ("p for equivalence (TOST)", _p(verdict.p_equivalence)),
        ("p for equivalence after Holm, held against half the level", _equivalence_after_holm(verdict)),
        ("standardised effect d", "" if verdict.d is None else fmt.number(verdict.d, 2)),
        ("by seed", by_seed(verdict)),
    ]
    return [(name, text) for name, text in pairs if text]


def contrast_text(verdict: Verdict) -> str:
    """The contrast as a sum: "post@depth=110 − pre@depth=110"; of logarithms for a ratio."""
    terms = []
    for selector, weight in verdict.contrast.items():
        size = "" if abs(weight) == 1 else f"{abs(weight):g} × "
        terms.append(f"{fmt.MINUS if weight < 0 else '+'} {size}{selector}")
    text = " ".join(terms).removeprefix("+ ")
    if verdict.threshold is not None:
        text += f" {fmt.MINUS} {fmt.value(verdict.metric, verdict.threshold)}"
    return f"rise over {verdict.trend} of {text}" if verdict.trend else text


def expected_text(verdict: Verdict) -> str:
    """The expected sign of the contrast, as text."""
    return {"positive": "> 0", "negative": "< 0", "zero": "≈ 0"}.get(verdict.expect, verdict.expect)


def interval_name(verdict: Verdict) -> str:
    """The interval with its coverage: "95 % interval"."""
    return f"{100 * (1 - verdict.level):.3g} % interval"


def kind_of_effect(verdict: Verdict, kind: str) -> str:
    """What the effect is over the seeds: their mean, which needs no word, or the size that balances their ranks."""
    return f"{kind} by ranks" if verdict.is_ranked else kind


def interval(verdict: Verdict) -> str:
    """The interval with its name, or why there is none."""
    if verdict.test == EXACT:
        return "exact: no chance is in it"
    text = fmt.effect_interval(verdict.measure, verdict.effect, verdict.low, verdict.high)
    return "no interval" if text == fmt.ABSENT else f"{interval_name(verdict)} {text}"


def looked_at(verdict: Verdict) -> str:
    """The look that a verdict rests on, of those that are planned."""
    if not verdict.looks:
        return ""
    so_far = "not yet" if verdict.look is None else f"after {verdict.look} seeds"
    return f"{so_far}, of looks at {', '.join(map(str, verdict.looks))}" + ("; it goes on" if verdict.open else "")


def by_seed(verdict: Verdict) -> str:
    """The paired value of each seed; one that diverged cells decide has no finite value."""
    if verdict.test == EXACT:
        return ""
    k, unit = fmt.factor(verdict.measure), fmt.difference_unit(verdict.measure)
    finite = [k * value for value in verdict.values.values() if math.isfinite(value)]
    spread = max(finite, default=0.0) - min(finite, default=0.0)
    places = fmt.decimals(spread) if spread > 0 else None
    without = "no finite value" if verdict.perfect else "diverged"
    texts = [
        f"{seed}: " + (fmt.number(k * value, places, sign=True) if math.isfinite(value) else without)
        for seed, value in verdict.values.items()
    ]
    return ", ".join(texts) + (f" {unit}" if unit and finite else "")


def cautions(verdict: Verdict) -> list[str]:
    """Notes to a verdict besides its alarms: those of the analysis, and the cells that it lacks and no note names."""
    told = " ".join(verdict.notes)
    lacking = {"Diverged, ranked as worst": verdict.diverged, "Without a result": verdict.missing}
    untold = [(how, cells) for how, cells in lacking.items() if cells and cells[0] not in told]
    known = alarms(verdict)
    notes = [note for note in verdict.notes if note not in known]
    return notes + [f"{how}: {', '.join(cells)}." for how, cells in untold]


def paper(verdict: Verdict) -> str:
    """The paper's figure and where it stands, or empty."""
    value, where = verdict.paper.get("value", ""), verdict.paper.get("where", "")
    return f"{value} ({where})" if value and where else value or where


def _equivalence_after_holm(verdict: Verdict) -> str:
    """Where none is expected: elsewhere equivalence is shown for each claim by itself."""
    return _p(verdict.p_equivalence_holm) if verdict.expect == "zero" else ""


def _at_margins(verdict: Verdict) -> str:
    """How much the verdict hangs on the choice of the margin."""
    return ", ".join(f"{times} the margin: {word}" for times, word in verdict.at_margins.items())


def _gate(gate: GateReading) -> str:
    """A gate with what was seen, such as "✓ training error of post below 10 % (post: 4 % over 6 seeds)"."""
    mark = {True: "✓", False: "✗", None: "?"}[gate.holds]
    reason = f", since {gate.because}" if gate.because else ""
    return f"{mark} {requirement(gate)}{reason} ({seen(gate)})"


def _holm_name(verdict: Verdict) -> str:
    """What the adjusted p is of: where no effect is expected, the analysis tests for one beyond the margin."""
    return "p of an effect beyond the margin, after Holm" if verdict.expect == "zero" else "p after Holm"


def _p(p: float | None) -> str:
    return "" if p is None else fmt.p_value(p)
