"""Gates as a study's file states them: read, and held against what can hold at all."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import MISSING

from ablate.analysis.metrics import metric_of
from ablate.config.schema import Gate
from ablate.errors import InputError, unknown

FORM = "{cells: ARM@FACTOR=VALUE, metric: train/error, below: 0.1}"


def refuse_other_fields(what: str, given: Mapping[Any, Any], form: type) -> None:
    """Refuse a field that a part of a claim has not.

    Args:
        what: in words, such as `field of claim 'gap'`.
        given: the fields.
        form: the dataclass that has them.

    Raises:
        InputError: there is one; says which there are, and the nearest.
    """
    known = [field.name for field in dataclasses.fields(form)]
    for key in given:
        if key not in known:
            raise unknown(what, str(key), known)


def as_gates(claim: str, given: Any) -> list[Gate]:
    """The gates of a claim from plain values.

    Args:
        claim: in words, such as `claim 'gap'`.
        given: what stands at `requires`.

    Raises:
        InputError: it is no list of gates, or a field is unknown or missing.
    """
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise InputError(f"{claim}: requires is {given}; write it as a list: [{FORM}]")
    return [one if isinstance(one, Gate) else _as_gate(claim, one) for one in given]


def _as_gate(claim: str, given: Any) -> Gate:
    if not isinstance(given, Mapping):
        raise InputError(f"{claim}: a gate is '{given}'; write it as {FORM}")
    refuse_other_fields(f"field of a gate of {claim}", given, Gate)
    for key in ("cells", "metric"):
        if given.get(key) in (None, "", MISSING):
            raise InputError(f"{claim}: a gate has no {key}; write it as {FORM}")
    return Gate(**{str(key): value for key, value in given.items()})


def check_gates(claim: str, gates: Sequence[Gate]) -> None:
    """Refuse gates that say nothing, or that nothing passes.

    Raises:
        InputError: a gate has no bound or two, one that is no number, or one that no value of the metric can meet.
    """
    for gate in gates:
        name = f"{claim}, gate on {gate.metric} of {gate.cells}"
        if (gate.below is None) == (gate.above is None):
            raise InputError(f"{name}: give one of below and above; two bounds are two gates")
        bound = gate.below if gate.above is None else gate.above
        if not isinstance(bound, int | float) or isinstance(bound, bool) or not math.isfinite(bound):
            raise InputError(f"{name}: the bound is {bound}, which is no number")
        metric = metric_of(gate.metric)
        if gate.below is not None and gate.below <= 0 and (metric.is_error or metric.is_loss or metric.is_cost):
            raise InputError(f"{name}: nothing is below {gate.below:g}, as no {gate.metric} is negative")
        if metric.is_error and (gate.above or 0) >= 1:
            raise InputError(f"{name}: no error rate is above {gate.above:g}; 0.1 is 10 %")
        if metric.is_error and gate.below is not None and gate.below > 1:
            raise InputError(f"{name}: every error rate is below {gate.below:g}; 0.1 is 10 %")
