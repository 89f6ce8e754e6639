"""Augmentation by colour."""

import torch
from torch import Tensor

from ablate import Augment, InputError, Statistics, register

WHITE = 255.0


@register("augment", "color_pca")
class ColorPca(Augment):
    """Shift the colour along the principal components of the training pixels (Krizhevsky et al. 2012, section 4.1).

    Each image gets the sum of p_i a_i l_i over the components, with p_i and l_i the eigenvectors and eigenvalues of the
    covariance of the training split's RGB values and a_i drawn from a normal distribution. The paper does not give its
    unit; here values lie in [0, 1], where l_i is a share of the range (in 0 to 255 the shift would exceed it).

    Args:
        std: deviation of the a_i (the paper: 0.1).
    """

    def __init__(self, *, std: float = 0.1) -> None:
        if std < 0:
            raise InputError(f"augment.std={std:g}: must be at least 0")
        self.std = std

    def fit(self, statistics: Statistics) -> None:
        """Find the components, as columns (C, C) in the unit of normalised images."""
        values, vectors = torch.linalg.eigh(statistics.covariance / WHITE**2)
        # An eigenvector's sign is left to the library; the choice made here is the same on every machine.
        signs = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True)).sign()
        components = vectors * signs * values.clamp(min=0)
        self.components = (components * WHITE / statistics.std.double()[:, None]).float()

    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        """(samples, C): the a_i."""
        return torch.randn(samples, len(self.components), generator=generator) * self.std

    def apply(self, images: Tensor, choices: Tensor) -> Tensor:
        """Add to each image its colour."""
        # A sum of columns and no matrix product, whose last bit may depend on the number of its rows.
        shift = torch.zeros_like(images[:, :, 0, 0])
        for choice, column in zip(choices.unbind(1), self.components.to(images.device).unbind(1), strict=True):
            shift = shift + choice[:, None] * column
        return images + shift[:, :, None, None]
