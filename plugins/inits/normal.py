"""Normal values of one deviation."""

import math

import torch
from torch import Tensor, nn

from ablate import InputError, register

from ._layers import LayerInit


@register("init", "normal")
class Normal(LayerInit):
    """All weights: normal with one standard deviation, whatever a layer's size (Krizhevsky et al. 2012, section 5).

    Biases are 0, norms 1 and 0. The paper has biases of 1 in some of AlexNet's layers.

    Args:
        std: the standard deviation; the paper's is 0.01.
        zero_last: each residual branch starts at zero, by the factor of the norm that ends it or else its last weights
            (Goyal et al. 2017, arXiv 1706.02677, section 5.1).

    Raises:
        InputError: the deviation is no number above 0.
    """

    def __init__(self, *, std: float = 0.01, zero_last: bool = False) -> None:
        super().__init__(zero_last=zero_last)
        if not (std > 0 and math.isfinite(std)):
            raise InputError(f"init.std must be a number above 0, not {std:g}")
        self.std = std

    def draw(self, module: nn.Module, weight: Tensor, generator: torch.Generator) -> None:
        weight.normal_(0, self.std, generator=generator)
