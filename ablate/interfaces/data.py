"""Data sets and augmentations, as the kinds of plugins that provide them."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Split:
    """Part of a data set.

    Attributes:
        images: (N, C, H, W) uint8.
        labels: (N,) int64, in 0 .. classes - 1.
    """

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Splits:
    """The two parts of a data set: what is trained on, and what is only measured."""

    train: Split
    test: Split


class DataSet(abc.ABC):
    """A data set. Built as `DataSet(*, options)`; building is cheap and reads nothing.

    Attributes:
        channels: of an image.
        size: height and width of an image, in pixels.
        classes: number of classes.
        batch_size: images in a training step, at least 1.
        samples: images in the training and in the test split, where that is known without reading them.
        imports: modules that `load` imports where it runs; the processes of cells start with them imported.
    """

    channels: int
    size: tuple[int, int]
    classes: int
    batch_size: int
    samples: tuple[int, int] | None = None
    imports: tuple[str, ...] = ()

    def check(self) -> None:  # noqa: B027 - embedded data has nothing to look for
        """Look, without reading it, whether the data is there; asked before any cell is started.

        Raises:
            InputError: it is not; says what to put where.
        """

    @abc.abstractmethod
    def load(self) -> Splits:
        """Read the data.

        Raises:
            InputError: it is not there or broken; says what to put where.
        """


class Augment(abc.ABC):
    """Random changes to training images. Built as `Augment(*, options)`.

    What happens to a sample is drawn for the whole split at once, before the epoch, from (seed, epoch): it does not
    depend on the batch that the sample lands in.
    """

    @abc.abstractmethod
    def draw(self, samples: int, generator: torch.Generator) -> Any:
        """The random choices of an epoch: a tensor (samples, ...), or None where nothing is random."""

    @abc.abstractmethod
    def apply(self, images: Tensor, choices: Any) -> Tensor:
        """Change a batch.

        Args:
            images: (N, C, H, W), normalised, so that zero is the mean of the training images.
            choices: the rows of `draw` that belong to these images.
        """
