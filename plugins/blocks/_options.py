"""Choices that several blocks offer."""

from typing import Literal

Bias = Literal["none", "last", "all"]
StrideAt = Literal["1x1", "3x3"]
