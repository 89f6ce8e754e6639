"""Running statistics of batch norms, estimated anew for a network that was changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Literal

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _NormBase

from ablate import InputError, Trained

Statistics = Literal["kept", "estimated", "both"]


def first_batches(trained: Trained, count: int) -> list[Tensor]:
    """The images of the first batches of an epoch as it is trained on: (B, C, H, W) each."""
    # Of one image alone a norm cannot tell a deviation.
    return [images for images, _ in islice(trained.training_batches(0), count) if len(images) > 1]


@contextmanager
def estimated(trained: Trained, batches: list[Tensor]) -> Iterator[None]:
    """Let batch norms have the statistics of the network as it stands, and afterwards again those that they had.

    Each norm's mean and variance are the means of those of the batches; everything else, such as dropout, stays in eval
    mode. A network without running statistics stays as it is.
    """
    model = trained.model
    norms = [one for one in model.modules() if isinstance(one, _NormBase) and one.running_mean is not None]
    with statistics_kept(norms):
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # PyTorch's word for the plain mean over batches
            norm.training = True
        with torch.no_grad(), trained.precision():
            for images in batches if norms else ():
                model(images)
        for norm in norms:
            norm.training = False
        yield


@contextmanager
def statistics_kept(norms: list[_NormBase]) -> Iterator[None]:
    """Put the statistics of norms, and how they keep them, back as they were, to the bit."""
    buffers = [(one, one.detach().clone()) for norm in norms for one in norm.buffers()]
    modes = [(norm, norm.momentum, norm.training) for norm in norms]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
        for norm, momentum, training in modes:
            norm.momentum, norm.training = momentum, training


def check_batches(measurement: str, batches: int) -> int:
    """How many batches statistics are estimated on.

    Raises:
        InputError: none.
    """
    if batches < 1:
        raise InputError(f"measurements.{measurement}.batches={batches}: must be at least 1")
    return batches
