"""Heads, norms and activations of the older families keep the contract of every part, in a residual network too."""

from __future__ import annotations

from typing import Any, ClassVar

from ablate.testing import PartConformance


class TestFullyConnected(PartConformance):
    kind = "head"
    name = "fc"
    options: ClassVar[dict[str, Any]] = {"hidden": [16, 8], "dropout_at": "inputs"}


class TestRadialBasis(PartConformance):
    kind = "head"
    name = "rbf"
    options: ClassVar[dict[str, Any]] = {"hidden": [16], "grid": 2}


class TestLocalResponseNorm(PartConformance):
    kind = "norm"
    name = "lrn"


class TestScaledTanh(PartConformance):
    kind = "act"
    name = "scaled_tanh"
