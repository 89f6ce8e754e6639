"""He initialisation."""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ablate import Init, register

NORMS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm)


@register("init", "he")
class He(Init):
    """Convolutions: normal with variance 2 / fan; biases 0, norms 1 and 0 (He et al. 2015, arXiv 1502.01852).

    Args:
        mode: the fan: "fan_out", kernel area times output channels (He's code), or "fan_in", times input channels.
        linear: weights of linear layers: "uniform" within 1 / sqrt(fan_in) (Torch's default, which He's code keeps), or
            "he" as for convolutions.
    """

    def __init__(
        self, *, mode: Literal["fan_out", "fan_in"] = "fan_out", linear: Literal["uniform", "he"] = "uniform"
    ) -> None:
        self.mode = mode
        self.linear = linear

    def fill(self, module: nn.Module, name: str, parameter: Tensor, generator: torch.Generator) -> bool:
        kind = name.rpartition(".")[2]
        weights = isinstance(module, nn.Conv2d | nn.Linear)
        if not (weights or isinstance(module, NORMS)) or kind not in {"weight", "bias"}:
            return False
        if kind == "bias":
            parameter.zero_()
        elif not weights:
            parameter.fill_(1)
        elif isinstance(module, nn.Linear) and self.linear == "uniform":
            bound = 1 / math.sqrt(module.in_features)
            parameter.uniform_(-bound, bound, generator=generator)
        else:
            # (out, in / groups, height, width): a linear layer counts as a kernel of one pixel.
            fan = parameter.numel() // parameter.shape[1 if self.mode == "fan_out" else 0]
            parameter.normal_(0, math.sqrt(2 / fan), generator=generator)
        return True
