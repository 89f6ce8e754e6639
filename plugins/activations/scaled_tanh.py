"""LeNet's squashing function."""

from torch import Tensor, nn

from ablate import Parts, register


@register("act", "scaled_tanh")
def scaled_tanh(parts: Parts, *, amplitude: float = 1.7159, slope: float = 2 / 3) -> nn.Module:
    """Amplitude * tanh(slope * x), which is close to 1 at 1 and to -1 at -1 (LeCun et al. 1998, appendix A).

    Args:
        parts: the network's parts.
        amplitude: the limit on both sides.
        slope: factor of x.
    """
    return ScaledTanh(amplitude, slope)


class ScaledTanh(nn.Module):
    """Amplitude * tanh(slope * x)."""

    def __init__(self, amplitude: float, slope: float) -> None:
        super().__init__()
        self.amplitude = amplitude
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return self.amplitude * (self.slope * x).tanh()
