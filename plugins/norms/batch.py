"""Batch normalisation."""

from torch import nn

from ablate import Parts, register


@register("norm", "batch")
def batch(parts: Parts, channels: int, *, eps: float = 1e-5, momentum: float = 0.1) -> nn.Module:
    """Each channel over the batch and all pixels (Ioffe and Szegedy 2015, arXiv 1502.03167).

    Args:
        parts: the network's parts.
        channels: of the feature maps.
        eps: added to the variance; Keras has 1e-3.
        momentum: weight of the newest batch in the running mean and variance; Keras' 0.99 is 0.01 here.
    """
    return nn.BatchNorm2d(channels, eps=eps, momentum=momentum)
