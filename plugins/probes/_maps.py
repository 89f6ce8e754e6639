"""Sizes of feature maps."""

import torch
from torch import Tensor


def norms(maps: Tensor) -> Tensor:
    """Euclidean norm of each image's maps, (B, C, H, W) -> (B,)."""
    return torch.linalg.vector_norm(maps.float(), dim=(1, 2, 3))
