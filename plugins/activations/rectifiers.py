"""Rectified linear units and their relatives."""

from torch import nn

from ablate import Parts, register


@register("act", "relu")
def relu(parts: Parts) -> nn.Module:
    """The larger of x and 0 (Nair and Hinton 2010)."""
    return nn.ReLU()


@register("act", "leaky_relu")
def leaky_relu(parts: Parts, *, slope: float = 0.01) -> nn.Module:
    """Either x, or slope * x where x is negative (Maas et al. 2013).

    Args:
        parts: the network's parts.
        slope: of the negative side.
    """
    return nn.LeakyReLU(slope)


@register("act", "elu")
def elu(parts: Parts, *, alpha: float = 1.0) -> nn.Module:
    """Either x, or alpha * (exp(x) - 1) where x is negative (Clevert et al. 2015, arXiv 1511.07289).

    Args:
        parts: the network's parts.
        alpha: minus the limit on the negative side.
    """
    return nn.ELU(alpha)
