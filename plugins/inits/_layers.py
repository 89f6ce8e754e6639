"""What all initialisations of layers have in common: norms, biases, and where residual branches start at zero."""

from __future__ import annotations

import abc
import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ablate import Init, ends_branch

NORMS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm)


class LayerInit(Init):
    """Biases are 0, norms have factor 1 and offset 0, and `draw` gives the weights of convolutions and linear layers.

    Args:
        zero_last: the last layer with a scale in each residual branch F starts at zero, so that F is zero: the factor
            of the norm that ends F, or where none does the last weight layer (Goyal et al. 2017, arXiv 1706.02677,
            section 5.1). Units with an identity shortcut then are the identity at first, but for what their order puts
            behind the addition.
    """

    def __init__(self, *, zero_last: bool = False) -> None:
        self.zero_last = zero_last

    def fill(self, module: nn.Module, name: str, parameter: Tensor, generator: torch.Generator) -> bool:
        kind = name.rpartition(".")[2]
        weights = isinstance(module, nn.Conv2d | nn.Linear)
        if not (weights or isinstance(module, NORMS)) or kind not in {"weight", "bias"}:
            return False
        if kind == "bias" or (self.zero_last and ends_branch(module)):
            parameter.zero_()
        elif weights:
            self.draw(module, parameter, generator)
        else:
            parameter.fill_(1)
        return True

    @abc.abstractmethod
    def draw(self, module: nn.Module, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight of a convolution or a linear layer in place, drawing from `generator` alone."""


def fans(weight: Tensor) -> tuple[int, int]:
    """Fan-in and fan-out of a weight (out, in / groups, height, width); a linear layer is a kernel of one pixel."""
    return weight.numel() // weight.shape[0], weight.numel() // weight.shape[1]


def he_normal(weight: Tensor, fan: int, generator: torch.Generator) -> None:
    """Normal with variance 2 / fan (He et al. 2015, arXiv 1502.01852)."""
    weight.normal_(0, math.sqrt(2 / fan), generator=generator)


def torch_uniform(weight: Tensor, generator: torch.Generator) -> None:
    """Uniform within 1 / sqrt(fan_in), Torch's default for linear layers."""
    bound = 1 / math.sqrt(fans(weight)[0])
    weight.uniform_(-bound, bound, generator=generator)
