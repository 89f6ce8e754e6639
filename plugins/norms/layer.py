"""Layer normalisation."""

from torch import nn

from ablate import Parts, register


@register("norm", "layer")
def layer(parts: Parts, channels: int, *, eps: float = 1e-5) -> nn.Module:
    """All channels and pixels of each image (Ba et al. 2016, arXiv 1607.06450), with a factor and a bias per channel.

    Args:
        parts: the network's parts.
        channels: of the feature maps.
        eps: added to the variance.
    """
    # One group of all channels: torch's LayerNorm would want to know the maps' size, and learn a factor for each pixel.
    return nn.GroupNorm(1, channels, eps)
