"""Probes and measurements from their config nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ablate import registry
from ablate.errors import InputError
from ablate.interfaces.measurement import Measurement
from ablate.interfaces.probe import Probe

DECIDES_NUMBERS = False


def build_probe(node: Mapping[str, Any]) -> Probe:
    """The probe of a config node.

    Raises:
        InputError: its options make no sense, or it is none.
    """
    probe = registry.build("probe", node)
    if not isinstance(probe, Probe):
        raise InputError(f"probe '{node['name']}' makes a {type(probe).__name__}, which is no ablate.Probe")
    return probe


def build_measurement(node: Mapping[str, Any]) -> Measurement:
    """The measurement of a config node.

    Raises:
        InputError: its options make no sense, or it is none.
    """
    measurement = registry.build("measurement", node)
    if not isinstance(measurement, Measurement):
        kind = type(measurement).__name__
        raise InputError(f"measurement '{node['name']}' makes a {kind}, which is no ablate.Measurement")
    return measurement
