"""Group normalisation."""

from torch import nn

from ablate import InputError, Parts, register


@register("norm", "group")
def group(parts: Parts, channels: int, *, groups: int = 32, eps: float = 1e-5) -> nn.Module:
    """Groups of channels within each image (Wu and He 2018, arXiv 1803.08494).

    Args:
        parts: the network's parts.
        channels: of the feature maps.
        groups: number of groups.
        eps: added to the variance.

    Raises:
        InputError: the groups do not divide the channels.
    """
    if groups < 1 or channels % groups:
        divisors = [divisor for divisor in range(1, channels // 2 + 1) if channels % divisor == 0] or [1]
        near = min(divisors, key=lambda divisor: abs(divisor - groups))
        raise InputError(f"norm group: {groups} groups do not divide {channels} channels; norm.groups={near} does")
    return nn.GroupNorm(groups, channels, eps)
