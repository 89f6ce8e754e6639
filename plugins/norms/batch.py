"""Batch normalisation."""

from torch import nn

from ablate import Parts, register


class UnscaledBatchNorm2d(nn.BatchNorm2d):
    """`BatchNorm2d` without γ: it has an offset for each channel, and its factor is 1.

    Keras and TF-slim call this `scale=False`: where the next layer is linear but for a ReLU, its weights scale as well.
    """

    def __init__(self, channels: int, *, eps: float, momentum: float) -> None:
        super().__init__(channels, eps=eps, momentum=momentum)
        self.register_parameter("weight", None)

    def reset_parameters(self) -> None:
        self.reset_running_stats()
        nn.init.zeros_(self.bias)


@register("norm", "batch", before={"scale": True})
def batch(parts: Parts, channels: int, *, eps: float = 1e-5, momentum: float = 0.1, scale: bool = True) -> nn.Module:
    """Each channel over the batch and all pixels (Ioffe and Szegedy 2015, arXiv 1502.03167).

    Args:
        parts: the network's parts.
        channels: of the feature maps.
        eps: added to the variance; Keras has 1e-3.
        momentum: weight of the newest batch in the running mean and variance; Keras' 0.99 is 0.01 here.
        scale: whether a factor for each channel, γ, is learnt; false fixes it at 1 (TF-slim's and source 001's
            Inception v3). The offset β is learnt either way.
    """
    make = nn.BatchNorm2d if scale else UnscaledBatchNorm2d
    return make(channels, eps=eps, momentum=momentum)
