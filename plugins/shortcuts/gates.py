"""Gates, as in Highway Networks."""

import torch
from torch import Tensor, nn

from ablate import Parts, Shortcut, UnitShape, register

from ._match import Pad, zero_padded


class Gate(nn.Module):
    """g(x) = σ(W x + b), a 1x1 convolution with the unit's stride."""

    def __init__(self, shape: UnitShape, bias_init: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(shape.in_channels, shape.out_channels, 1, shape.stride, bias=False)
        # Not the convolution's own bias, which an initialisation of convolutions would set to zero.
        self.bias = nn.Parameter(torch.full((shape.out_channels,), float(bias_init)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.conv(x) + self.bias[:, None, None])


@register("shortcut", "shortcut_gate")
class ShortcutGate(Shortcut):
    """(1 - g(x)) x + F(x): only the shortcut is gated (He et al. 2016, arXiv 1603.05027, section 3.2 and Fig. 2d).

    Args:
        bias_init: first value of the gate's bias; -6 lets x through, 0 halves it.
        pad: where the zero channels go where the shape changes: on "both" sides or at the "end".
    """

    def __init__(self, parts: Parts, shape: UnitShape, *, bias_init: float = -6.0, pad: Pad = "both") -> None:
        super().__init__()
        self.path = zero_padded(shape, pad)
        self.gate = Gate(shape, bias_init)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return (1 - self.gate(x)) * self.path(x) + residual


@register("shortcut", "exclusive_gate")
class ExclusiveGate(ShortcutGate):
    """(1 - g(x)) x + g(x) F(x): what the one gains the other loses (He et al. 2016, section 3.2 and Fig. 2c).

    Args:
        bias_init: first value of the gate's bias; the paper's best is -6.
        pad: where the zero channels go where the shape changes: on "both" sides or at the "end".
    """

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        g = self.gate(x)
        return (1 - g) * self.path(x) + g * residual
