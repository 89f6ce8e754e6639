"""Claims as a study states them: read, and held against its arms and grid before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from omegaconf import MISSING, DictConfig, OmegaConf

from ablate.analysis.metrics import EPOCHS_TO, STATIC, metric_of
from ablate.analysis.selectors import Selector, added_up, alternatives, parse_selector, says_nothing, value_text
from ablate.analysis.written_gates import as_gates, check_gates, refuse_other_fields
from ablate.config.schema import EXPECTATIONS, SCALES, Claim, Paper
from ablate.errors import InputError, unknown

Grid = Mapping[str, Sequence[Any]]
ClaimLike = Claim | Mapping[str, Any] | DictConfig

MOST_RATIO = 10.0  # a margin of a ratio: 1,000 %


def as_claim(claim: ClaimLike) -> Claim:
    """A `Claim` from a dict or a config node; a `Claim` is returned as it is.

    Raises:
        InputError: a field has no value, or there is no such field.
    """
    if isinstance(claim, Claim):
        return claim
    given: Any = OmegaConf.to_container(claim, resolve=True) if isinstance(claim, DictConfig) else dict(claim)
    name = f"claim '{given.get('id', '?')}'"
    refuse_other_fields(f"field of {name}", given, Claim)
    for key in ("id", "contrast", "expect", "margin"):
        if given.get(key) in (None, "", MISSING):
            raise InputError(f"{name} has no {key}")
    if not isinstance(given["contrast"], Mapping):
        raise InputError(f"{name}: contrast is {given['contrast']}; write it as {{arm_a: 1, arm_b: -1}}")
    paper, requires = _as_paper(name, given.get("paper") or {}), as_gates(name, given.get("requires") or [])
    return Claim(**{**given, "paper": paper, "requires": requires})


def _as_paper(name: str, given: Any) -> Paper:
    if isinstance(given, Paper):
        return given
    if not isinstance(given, Mapping):
        raise InputError(f"{name}: paper is '{given}'; write it as {{value: ..., where: ...}}")
    refuse_other_fields(f"field of the paper of {name}", given, Paper)
    return Paper(**{key: str(value) for key, value in given.items()})


def speaks_of(claim: Claim, arm: str, factors: Mapping[str, object]) -> bool:
    """Whether a claim needs the cells of this arm at this point of the grid, for its contrast or for a gate."""
    gates = [parse_selector(gate.cells) for gate in claim.requires]
    return any(selector.matches(arm, factors) for selector in (*added_up(claim.contrast), *gates))


def validate_claims(
    claims: Sequence[ClaimLike],
    arms: Collection[str],
    grid: Grid,
    *,
    metrics: Iterable[str] | None = None,
    kept_arms: Collection[str] | None = None,
    kept_grid: Grid | None = None,
) -> dict[str, str]:
    """Hold claims against the arms and the grid that their study file states.

    A user may narrow a study (`depth=56`). A claim that speaks of what was narrowed away is no error: it is not tested.

    Args:
        claims: the study's claims.
        arms: every arm of the study file.
        grid: every factor of the study file, with all its values.
        metrics: what the study's cells record; not checked where None.
        kept_arms: the arms that this run has; by default all.
        kept_grid: the values that this run has; by default all.

    Returns:
        For each claim that this run cannot test, its id and the reason.

    Raises:
        InputError: unknown arm, factor, value or metric; weights that do not sum to zero or are all zero; an empty
            contrast; unknown `expect` or `scale`; a negative margin, none where zero is expected, or one that no
            difference can reach; a trend over what is no factor or pinned; a threshold that does not fit; a gate that
            cannot hold; two claims of one id.
    """
    read = [as_claim(claim) for claim in claims]
    for claim in read:
        if sum(other.id == claim.id for other in read) > 1:
            raise InputError(f"two claims have the id '{claim.id}'; give each its own")
        _check_terms(claim)
        for text in (*claim.contrast, *(gate.cells for gate in claim.requires)):
            _check_selector(claim, text, arms, grid)
        if claim.trend:
            _check_trend(claim, grid)
    if metrics is not None:
        check_metrics(read, metrics)
    run_arms = arms if kept_arms is None else kept_arms
    run_grid = grid if kept_grid is None else kept_grid
    reasons = {claim.id: _why_untested(claim, run_arms, run_grid) for claim in read}
    return {name: reason for name, reason in reasons.items() if reason}


def check_metrics(claims: Iterable[Claim], metrics: Iterable[str], others: Mapping[str, str] | None = None) -> None:
    """Refuse a claim about what no cell will record.

    Args:
        claims: of the study.
        metrics: that some of its cells record.
        others: what would record others, by the first part of their names.

    Raises:
        InputError: there is such a claim; says what is recorded, and what would record it.
    """
    recorded = set(metrics)
    for claim in claims:
        asked = {f"metric of claim '{claim.id}'": claim.metric}
        asked |= {
            f"metric of a gate of claim '{claim.id}'": g.metric for g in claim.requires if g.metric not in recorded
        }
        for what, metric in asked.items():
            refuse_unrecorded(what, metric, recorded, others or {})


def refuse_unrecorded(what: str, metric: str, recorded: Collection[str], others: Mapping[str, str]) -> None:
    """Refuse a metric that no cell records.

    Args:
        what: it is, for people.
        metric: that is asked for.
        recorded: that cells record.
        others: what would record others, by the first part of their names.

    Raises:
        InputError: it is none of them; says what would record it.
    """
    if metric not in recorded:
        raise unknown(what, metric, recorded, _how_to_record(metric, recorded, others))


def _how_to_record(metric: str, recorded: Collection[str], others: Mapping[str, str]) -> str:
    """What would record a metric; empty where nothing is known that does."""
    text, first = metric.removeprefix(EPOCHS_TO), metric.partition("/")[0]
    if text != metric:
        return f'record it with trainer.epochs_to=["{text}"]'
    return "" if any(name.startswith(f"{first}/") for name in recorded) else others.get(first, "")


def _check_terms(claim: Claim) -> None:
    """The parts of a claim that can be judged without its study."""
    name = f"claim '{claim.id}'"
    if not str(claim.metric).strip():
        raise InputError(f"{name} has no metric")
    if claim.expect not in EXPECTATIONS:
        raise unknown(f"expect of {name}", str(claim.expect), EXPECTATIONS)
    if claim.scale not in SCALES:
        raise unknown(f"scale of {name}", str(claim.scale), SCALES)
    if not _is_number(claim.margin) or claim.margin < 0:
        raise InputError(f"{name}: margin is {claim.margin}; it must be a number of at least 0")
    if claim.expect == "zero" and claim.margin == 0 and claim.metric not in STATIC:
        raise InputError(f"{name}: expect=zero needs a margin above 0, the smallest difference that matters")
    _check_margin(name, claim)
    check_gates(name, claim.requires)
    if claim.threshold is not None:
        _check_threshold(name, claim)
    _check_weights(name, claim.contrast, free=claim.threshold is not None or bool(claim.trend))
    if not added_up(claim.contrast):
        raise says_nothing(claim.id)


def _check_margin(name: str, claim: Claim) -> None:
    """A margin that no difference reaches would call every difference equivalent."""
    if claim.scale == "ratio":
        if claim.margin >= MOST_RATIO:
            raise InputError(
                f"{name}: margin is {claim.margin:g}, which is a change by {100 * claim.margin:,.0f} %; a ratio's must "
                f"be below {100 * MOST_RATIO:,.0f} % (0.1 is 10 %)"
            )
    elif metric_of(claim.metric).is_error and claim.margin >= 1:
        raise InputError(
            f"{name}: margin is {claim.margin:g}, which is {100 * claim.margin:,.0f} percentage points of an error "
            "rate; it must be below 100 (0.01 is one point)"
        )


def _check_threshold(name: str, claim: Claim) -> None:
    if not _is_number(claim.threshold):
        raise InputError(f"{name}: threshold is {claim.threshold}, which is no number")
    if claim.trend:
        raise InputError(f"{name} has a trend and a threshold; a claim has one of the two")
    if claim.scale == "ratio" and not (claim.threshold or 0) > 0:
        raise InputError(f"{name}: threshold is {claim.threshold}; with scale=ratio it must be above 0")


def _check_weights(name: str, contrast: Mapping[str, float], *, free: bool) -> None:
    """Weights, which must sum to zero unless they are `free`: held against a threshold, or over a trend."""
    if not contrast:
        raise InputError(f"{name} has an empty contrast; write it as {{arm_a: 1, arm_b: -1}}")
    for text, weight in contrast.items():
        if not _is_number(weight):
            raise InputError(f"{name}: the weight of '{text}' is {weight}, which is no number")
    weights = [float(weight) for weight in contrast.values()]
    largest = max(abs(weight) for weight in weights)
    if largest == 0:
        raise InputError(f"{name}: all weights of its contrast are 0")
    if not free and abs(math.fsum(weights)) > 1e-6 * largest:
        raise InputError(
            f"{name}: the weights of its contrast sum to {math.fsum(weights):g}; they must sum to 0 "
            f"(unless it has a threshold or a trend)"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_selector(claim: Claim, text: str, arms: Collection[str], grid: Grid) -> None:
    selector = parse_selector(text)
    where = f"(claim '{claim.id}', selector '{text}')"
    for arm in selector.arms:
        if arm not in arms:
            raise unknown("arm", arm, arms, where)
    for factor, given in selector.factors:
        if factor not in grid:
            raise unknown("grid factor", factor, grid, where)
        values = [value_text(known) for known in grid[factor]]
        for value in alternatives(given):
            if value_text(value) not in values:
                raise unknown(f"value of {factor}", value, values, where)


def _check_trend(claim: Claim, grid: Grid) -> None:
    name = f"claim '{claim.id}'"
    if claim.trend not in grid:
        raise unknown(f"grid factor in the trend of {name}", claim.trend, grid)
    if len(grid[claim.trend]) < 2:
        raise InputError(f"{name}: a trend needs two values of {claim.trend}, and the grid has {grid[claim.trend]}")
    for text in claim.contrast:
        if parse_selector(text).pins(claim.trend):
            raise InputError(f"{name}: selector '{text}' pins {claim.trend}, over which the trend goes; leave it out")


def _why_untested(claim: Claim, arms: Collection[str], grid: Grid) -> str:
    """The first thing that the claim names and a narrowed run lacks, in words; empty where it lacks nothing."""
    for selector in map(parse_selector, (*claim.contrast, *(gate.cells for gate in claim.requires))):
        if reason := _lacks(selector, arms, grid):
            return reason
    if claim.trend and len(grid.get(claim.trend, [])) < 2:
        return f"this run has fewer than two values of {claim.trend}"
    return ""


def _lacks(selector: Selector, arms: Collection[str], grid: Grid) -> str:
    for arm in selector.arms:
        if arm not in arms:
            return f"this run has no arm {arm}"
    for factor, given in selector.factors:
        for value in alternatives(given):
            if value_text(value) not in [value_text(known) for known in grid.get(factor, [])]:
                return f"this run has no {factor}={value}"
    return ""
