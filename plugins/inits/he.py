"""He initialisation."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from ablate import register

from ._layers import LayerInit, fans, he_normal, torch_uniform


@register("init", "he")
class He(LayerInit):
    """Convolutions: normal with variance 2 / fan; biases 0, norms 1 and 0 (He et al. 2015, arXiv 1502.01852).

    Args:
        mode: the fan: "fan_out", kernel area times output channels (He's code), or "fan_in", times input channels.
        linear: weights of linear layers: "uniform" within 1 / sqrt(fan_in) (Torch's default, which He's code keeps), or
            "he" as for convolutions.
        zero_last: each residual branch starts at zero, by the factor of the norm that ends it or else its last weights
            (Goyal et al. 2017, arXiv 1706.02677, section 5.1).
    """

    before: ClassVar[dict[str, bool]] = {"zero_last": False}

    def __init__(
        self,
        *,
        mode: Literal["fan_out", "fan_in"] = "fan_out",
        linear: Literal["uniform", "he"] = "uniform",
        zero_last: bool = False,
    ) -> None:
        super().__init__(zero_last=zero_last)
        self.mode = mode
        self.linear = linear

    def draw(self, module: nn.Module, weight: Tensor, generator: torch.Generator) -> None:
        if isinstance(module, nn.Linear) and self.linear == "uniform":
            torch_uniform(weight, generator)
            return
        fan_in, fan_out = fans(weight)
        he_normal(weight, fan_out if self.mode == "fan_out" else fan_in, generator)
