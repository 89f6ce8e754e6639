"""What stands beside a verdict: the figures of its test, and cautions."""

from __future__ import annotations

from ablate.report import format as fmt
from ablate.report.inputs import Outcome


def facts(outcome: Outcome) -> list[tuple[str, str]]:
    """Names and values of what decided, besides the effect and its interval; what is not known is left out."""
    contrast = f"{outcome.contrast_text} in {fmt.metric_name(outcome.metric)}" if outcome.contrast else ""
    pairs = [
        ("contrast", contrast),
        ("expected", outcome.expected_text),
        ("margin", fmt.margin(outcome.measure, outcome.margin)),
        ("looked at", looked_at(outcome)),
        (f"p ({outcome.test})", _p(outcome.p)),
        (_holm_name(outcome), _p(outcome.p_holm)),
        ("exact sign-flip p", _p(outcome.p_signflip)),
        ("p for equivalence (TOST)", _p(outcome.p_equivalence)),
        ("standardised effect d", "" if outcome.d is None else fmt.number(outcome.d, 2)),
        ("by seed", by_seed(outcome)),
    ]
    return [(name, text) for name, text in pairs if text]


def kind_of_effect(outcome: Outcome, kind: str) -> str:
    """What the effect is over the seeds: their mean, which needs no word, or else their median."""
    return f"median {kind}" if outcome.test == "signed rank" else kind


def interval(outcome: Outcome) -> str:
    """The interval with its name, or why there is none."""
    if outcome.test == "exact":
        return "exact: no chance is in it"
    text = fmt.effect_interval(outcome.measure, outcome.effect, outcome.low, outcome.high)
    return "no interval" if text == fmt.ABSENT else f"{outcome.interval_name} {text}"


def looked_at(outcome: Outcome) -> str:
    """The look that a verdict rests on, of those that are planned."""
    if not outcome.looks:
        return ""
    so_far = "not yet" if outcome.look is None else f"after {outcome.look} seeds"
    return f"{so_far}, of looks at {', '.join(map(str, outcome.looks))}" + ("; it goes on" if outcome.open else "")


def by_seed(outcome: Outcome) -> str:
    """The paired value of each seed; one that diverged cells decide has no finite value."""
    if outcome.test == "exact":
        return ""
    k, unit = fmt.factor(outcome.measure), fmt.difference_unit(outcome.measure)
    finite = [k * value for value in outcome.values.values() if value is not None]
    spread = max(finite, default=0.0) - min(finite, default=0.0)
    places = fmt.decimals(spread) if spread > 0 else None
    texts = [
        f"{seed}: " + ("diverged" if value is None else fmt.number(k * value, places, sign=True))
        for seed, value in outcome.values.items()
    ]
    return ", ".join(texts) + (f" {unit}" if unit and finite else "")


def cautions(outcome: Outcome) -> list[str]:
    """Notes to a verdict: those of the analysis, and the cells that it lacks and no note names."""
    told = " ".join(outcome.notes)
    lacking = {"Diverged, ranked as worst": outcome.diverged, "Without a result": outcome.missing}
    untold = [(how, cells) for how, cells in lacking.items() if cells and cells[0] not in told]
    return outcome.notes + [f"{how}: {', '.join(cells)}." for how, cells in untold]


def paper(outcome: Outcome) -> str:
    """The paper's figure and where it stands, or empty."""
    value, where = outcome.paper.get("value", ""), outcome.paper.get("where", "")
    return f"{value} ({where})" if value and where else value or where


def _holm_name(outcome: Outcome) -> str:
    """What the adjusted p is of: where no effect is expected, the analysis tests for one beyond the margin."""
    return "p of an effect beyond the margin, after Holm" if outcome.expect == "zero" else "p after Holm"


def _p(p: float | None) -> str:
    return "" if p is None else fmt.p_value(p)
