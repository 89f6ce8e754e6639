"""Local response normalisation."""

from torch import nn

from ablate import InputError, Parts, register


@register("norm", "lrn")
def lrn(
    parts: Parts, channels: int, *, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75
) -> nn.Module:
    """Each value over (k + alpha * sum of squares in n neighbouring channels)^beta (Krizhevsky et al. 2012, 3.3).

    Args:
        parts: the network's parts.
        channels: of the feature maps.
        n: channels in the sum, at the value's own pixel.
        k: added to the sum.
        alpha: factor of the sum; torch and Caffe divide theirs by n.
        beta: the power.

    Raises:
        InputError: n is below 1, or k is not above 0.
    """
    if n < 1 or k <= 0:
        raise InputError(f"norm lrn needs n of at least 1 and k above 0, not {n} and {k:g}")
    # torch takes the mean of the squares where the paper takes their sum.
    return nn.LocalResponseNorm(n, alpha=alpha * n, beta=beta, k=k)
