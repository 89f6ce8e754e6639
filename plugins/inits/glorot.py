"""Glorot initialisation, also called Xavier."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from ablate import register

from ._layers import LayerInit, fans


@register("init", "glorot")
class Glorot(LayerInit):
    """All weights: variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010, equations 12 and 16).

    Biases are 0, norms 1 and 0.

    Args:
        distribution: "uniform" (the paper, Keras' default) or "normal".
        zero_last: each residual branch starts at zero, by the factor of the norm that ends it or else its last weights
            (Goyal et al. 2017, arXiv 1706.02677, section 5.1).
    """

    def __init__(self, *, distribution: Literal["uniform", "normal"] = "uniform", zero_last: bool = False) -> None:
        super().__init__(zero_last=zero_last)
        self.distribution = distribution

    def draw(self, module: nn.Module, weight: Tensor, generator: torch.Generator) -> None:
        deviation = math.sqrt(2 / sum(fans(weight)))
        if self.distribution == "normal":
            weight.normal_(0, deviation, generator=generator)
        else:
            bound = math.sqrt(3) * deviation  # a uniform value within a has variance a^2 / 3
            weight.uniform_(-bound, bound, generator=generator)
