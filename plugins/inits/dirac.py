"""Convolutions that begin as the identity."""

import torch
from torch import Tensor, nn

from ablate import register

from ._layers import LayerInit, fans, he_normal, torch_uniform


@register("init", "dirac")
class Dirac(LayerInit):
    """Convolutions of equal in and out channels are the identity (torch.nn.init.dirac_); others as init=he has them.

    With a stride such a convolution takes every stride-th pixel. One that changes the number of channels, and every
    linear layer, is drawn as by `he` with its defaults: a widening layer has no identity. Biases are 0, norms 1 and 0;
    a norm that takes a batch's statistics scales what a Dirac convolution lets through.

    Args:
        zero_last: each residual branch starts at zero, by the factor of the norm that ends it or else its last weights
            (Goyal et al. 2017, arXiv 1706.02677, section 5.1).
    """

    def __init__(self, *, zero_last: bool = False) -> None:
        super().__init__(zero_last=zero_last)

    def draw(self, module: nn.Module, weight: Tensor, generator: torch.Generator) -> None:
        if not isinstance(module, nn.Conv2d):
            torch_uniform(weight, generator)
        elif module.in_channels == module.out_channels:
            nn.init.dirac_(weight, groups=module.groups)
        else:
            he_normal(weight, fans(weight)[1], generator)
