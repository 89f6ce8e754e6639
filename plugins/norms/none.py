"""No normalisation."""

from torch import nn

from ablate import Parts, register


@register("norm", "none")
def none(parts: Parts, channels: int) -> nn.Module:
    """The feature maps as they are."""
    return nn.Identity()
