"""What a gate requires and what was seen, in words."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.analysis.gates import GateReading
from ablate.analysis.metrics import metric_of
from ablate.analysis.selectors import alternatives, parse_selector


def requirement(gate: GateReading) -> str:
    """What a gate asks for, such as `training error of all arms at depth 110 below 10 %`."""
    side = "below" if gate.below is not None else "above"
    return f"{metric_of(gate.metric).words} of {place_text(gate.cells)} {side} {_amount(gate.metric, gate.bound)}"


def seen(gate: GateReading) -> str:
    """What the cell that decides a gate has, such as `post at depth 110: 62 % over 6 seeds`."""
    if gate.holds is None and not gate.n:
        return f"no value of {', '.join(gate.lacking)}"
    return f"{place_text(gate.cell)}: {_mean(gate)}"


def why_not_tested(gates: Sequence[GateReading]) -> str:
    """Why a claim may not be judged, as a sentence's end; empty where all of its gates hold."""
    failed = [gate for gate in gates if gate.holds is False]
    if failed:
        return f"{'; '.join(map(_failed, failed))}{_mended(failed)}"
    unknown = [gate for gate in gates if gate.holds is None]
    if not unknown:
        return ""
    lacking = ", ".join(dict.fromkeys(name for gate in unknown for name in gate.lacking))
    return f"it requires {' and '.join(map(requirement, unknown))}, and there is no value of {lacking}"


def place_text(cell: str) -> str:
    """A selector or a cell in words: `post@depth=110` as "post at depth 110"."""
    selector = parse_selector(cell)
    pinned = " and ".join(f"{factor} {' or '.join(alternatives(value))}" for factor, value in selector.factors)
    arms = " or ".join(selector.arms) or "all arms"
    return f"{arms} at {pinned}" if pinned else arms


def _failed(gate: GateReading) -> str:
    side = "less" if gate.below is not None else "more"
    reason = f" ({gate.because})" if gate.because else ""
    return (
        f"the mean {metric_of(gate.metric).words} of {place_text(gate.cell)} is {_mean(gate)}, where {side} than "
        f"{_amount(gate.metric, gate.bound)} is required{reason}"
    )


def _mean(gate: GateReading) -> str:
    seeds = f"{gate.n} seed{'' if gate.n == 1 else 's'}"
    if gate.value is None:
        return f"without a finite value, as {gate.diverged} of {seeds} {_diverged(gate)}"
    also = f", {gate.diverged} of which {_diverged(gate)}" if gate.diverged else ""
    return f"{_amount(gate.metric, gate.value)} over {seeds}{also}"


def _diverged(gate: GateReading) -> str:
    return "never got there" if metric_of(gate.metric).is_wait else "diverged"


def _mended(gates: Sequence[GateReading]) -> str:
    """What would make networks train that have not."""
    for gate in gates:
        metric = metric_of(gate.metric)
        if gate.below is not None and (metric.is_error or metric.is_loss or metric.is_wait):
            return "; longer training, a warm-up or a lower learning rate may mend it"
    return ""


def _amount(metric: str, value: float) -> str:
    declared = metric_of(metric)
    return f"{declared.factor * value:.3g} {declared.unit}".rstrip()
