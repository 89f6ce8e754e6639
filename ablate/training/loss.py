"""What a training step minimises."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate.interfaces.backbone import Backbone


def training_loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the main logits, plus `aux_weight` times that of each auxiliary classifier."""
    output = model(images)
    if isinstance(output, Tensor):
        return F.cross_entropy(output, labels)
    main, auxiliary = output
    losses = torch.stack([F.cross_entropy(logits, labels) for logits in auxiliary])
    return F.cross_entropy(main, labels) + cast(Backbone, model).aux_weight * losses.sum()
