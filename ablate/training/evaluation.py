"""Loss and error of a network over a split."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate.interfaces.data import Evaluation
from ablate.network.loss import autocast
from ablate.system import heartbeat
from ablate.training.feed import Batch


@torch.no_grad()
def evaluate(
    model: nn.Module, batches: Iterable[Batch], evaluation: Evaluation, precision: str, device: torch.device
) -> tuple[float, float]:
    """Mean loss and error in eval mode: one pass that waits for the device once, at its end.

    Args:
        model: (N, C, H, W) -> (N, classes) logits.
        batches: all of a split, with the margin that the evaluation needs.
        evaluation: what of an image the network is shown.
        precision: of the forward pass.
        device: where the model and the batches are.
    """
    was_training = model.training
    model.eval()
    sums, count = torch.zeros(2, device=device, dtype=torch.float64), 0
    for images, labels in batches:
        with autocast(device, precision):
            views = [model(view) for view in evaluation.views(images)]
        logits = averaged([one.float() for one in views])
        wrong = (logits.argmax(dim=1) != labels).sum()
        sums += torch.stack([F.cross_entropy(logits, labels, reduction="sum"), wrong])
        count += len(labels)
        heartbeat.progress()
    model.train(was_training)
    loss, wrong_ones = (sums / count).tolist()
    return loss, wrong_ones


def averaged(logits: list[Tensor]) -> Tensor:
    """Logits (N, classes) whose softmax is the mean of the softmax of each of these (N, classes)."""
    if len(logits) == 1:
        return logits[0]
    return torch.stack([F.log_softmax(one, dim=1) for one in logits]).logsumexp(dim=0) - math.log(len(logits))
