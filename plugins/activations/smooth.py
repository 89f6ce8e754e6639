"""Activations with a derivative everywhere."""

from torch import nn

from ablate import Parts, register


@register("act", "tanh")
def tanh(parts: Parts) -> nn.Module:
    """The hyperbolic tangent, in (-1, 1)."""
    return nn.Tanh()


@register("act", "sigmoid")
def sigmoid(parts: Parts) -> nn.Module:
    """1 / (1 + exp(-x)), in (0, 1)."""
    return nn.Sigmoid()


@register("act", "gelu")
def gelu(parts: Parts) -> nn.Module:
    """The normal distribution's cumulative function at x, times x (Hendrycks and Gimpel 2016, arXiv 1606.08415)."""
    return nn.GELU()


@register("act", "silu")
def silu(parts: Parts) -> nn.Module:
    """The sigmoid of x, times x (Elfwing et al. 2017, arXiv 1702.03118)."""
    return nn.SiLU()
