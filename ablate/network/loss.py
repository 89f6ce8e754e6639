"""The training loss of a network, with and without auxiliary classifiers, and the precision of its forward pass."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate.interfaces.backbone import Backbone


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """The context of a forward pass.

    Under `bf16`, matrix products and convolutions take and give bfloat16; parameters, gradients, the optimiser's state,
    and the statistics of norms stay in fp32 (Micikevicius et al. 2018, arXiv 1710.03740, section 3; with bfloat16's
    exponent, gradients need no scaling: Kalamkar et al. 2019, arXiv 1905.12322).
    """
    return nullcontext() if precision == "fp32" else torch.autocast(device.type, torch.bfloat16)


def training_loss(model: nn.Module, images: Tensor, labels: Tensor, precision: str = "fp32") -> Tensor:
    """Cross-entropy of the main logits, plus `aux_weight` times that of each auxiliary classifier, in fp32.

    Args:
        model: (B, C, H, W) -> (B, classes) logits, or with a list of auxiliary logits beside them.
        images: (B, C, H, W).
        labels: (B,).
        precision: of the forward pass, see `autocast`.
    """
    with autocast(images.device, precision):
        output = model(images)
    if isinstance(output, Tensor):
        return F.cross_entropy(output.float(), labels)
    main, auxiliary = output
    losses = torch.stack([F.cross_entropy(logits.float(), labels) for logits in auxiliary])
    return F.cross_entropy(main.float(), labels) + cast(Backbone, model).aux_weight * losses.sum()
