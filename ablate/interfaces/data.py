"""Data sets, augmentations and evaluations, as the kinds of plugins that provide them."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Split:
    """Part of a data set, held in memory; not empty.

    Attributes:
        images: (N, C, H, W) uint8, of the channels and the size that the data set declares.
        labels: (N,) int64, in 0 .. classes - 1: a tensor, as the images are.
    """

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Window:
    """Part of an image, in its pixels; with fractions, and not outside of it."""

    top: float
    left: float
    height: float
    width: float


Framing = Callable[[int, int], Window | None]
"""From an image's height and width to the window of it that is used; None for the whole, or its centre."""


class Samples(abc.ABC):
    """Part of a data set whose images are read when they are needed, by several processes at once.

    Attributes:
        labels: (N,) int64, in 0 .. classes - 1.
    """

    labels: Tensor

    @abc.abstractmethod
    def read(self, index: int, size: tuple[int, int], framing: Framing) -> Tensor:
        """One image.

        Args:
            index: which one, in 0 .. N - 1.
            size: height and width of what is returned, in pixels.
            framing: the window that is scaled to that size; where it says None, the data set's own choice.

        Returns:
            (C, height, width) uint8.

        Raises:
            InputError: it cannot be read; names the file.
        """


@dataclass(frozen=True)
class Splits:
    """The two parts of a data set: what is trained on, and what is only measured. Both are of one kind."""

    train: Split | Samples
    test: Split | Samples


class DataSet(abc.ABC):
    """A data set. Built as `DataSet(*, options)`; building is cheap and reads nothing.

    Attributes:
        channels: of an image.
        size: height and width of an image, in pixels.
        classes: number of classes.
        batch_size: images in a training step, at least 1. As an option it is set by scales and may be typed; a set
            whose batches have one size has a plain attribute, which no scale changes.
        samples: images in the training and in the test split, where that is known without reading them.
        imports: modules that `load` imports where it runs; the processes of cells start with them imported.
        incidental: options that say how the data gets here, such as `download`; they are no part of a cell's identity.
        before: by option, the value that it had before it existed: with it, cells keep the IDs that they had.
        published: MD5 by file name of the files that the set is published as. What `reads` names and these verify adds
            nothing to a cell's identity.

    What an option of type `Path` points to, a file or a folder, is part of a cell's identity by its content, unless the
    option is incidental. A set that knows better which files it reads has a class method `reads(**options)`: it gives
    their paths, or a text that stands for their content, or None where they are not here yet.
    """

    channels: int
    size: tuple[int, int]
    classes: int
    batch_size: int
    samples: tuple[int, int] | None = None
    imports: tuple[str, ...] = ()
    incidental: ClassVar[tuple[str, ...]] = ()
    before: ClassVar[Mapping[str, Any]] = {}
    published: ClassVar[Mapping[str, str]] = {}

    @classmethod  # noqa: B027 - worth it for what is small and slow to read
    def preload(cls) -> None:
        """Read what every instance needs and keep it, in the process that all cells are forked from.

        No thread and no CUDA context may be started here: they would be lost at the fork.
        """

    def look(self) -> bool:
        """Look at what is here, for a plan: nothing is fetched, made or unpacked.

        Returns:
            Whether the data is here, as far as this can tell.

        Raises:
            InputError: what is here is a part of it, or broken; says what to do about it.
        """
        return True

    def check(self) -> None:  # noqa: B027 - embedded data has nothing to look for
        """Look whether the data is there, and fetch or make it where that is asked for; before any cell is started.

        Raises:
            InputError: it is not there; says what to put where.
        """

    def traits(self, part: str) -> Mapping[str, Tensor]:
        """What is known of each image beside its class, as how large the thing is that it shows.

        For measurements alone: training does not ask for it.

        Args:
            part: `train` or `test`.

        Returns:
            By name, (N,) numbers in the order of the split; nothing where nothing is known.

        Raises:
            InputError: as `load`.
        """
        return {}

    @abc.abstractmethod
    def load(self) -> Splits:
        """Read the data, or what is needed to read it image by image.

        Raises:
            InputError: it is not there or broken; says what to put where.
        """


class Statistics(Protocol):
    """Of the pixels of the training split alone, with values in 0 .. 255."""

    @property
    def mean(self) -> Tensor:
        """(C,) float32, of each channel."""

    @property
    def std(self) -> Tensor:
        """(C,) float32, of each channel; 1 where a channel has one value only."""

    @property
    def covariance(self) -> Tensor:
        """(C, C) float64, of the channels over all pixels. Computed when it is first asked for."""


class Augment(abc.ABC):
    """Random changes to training images. Built as `Augment(*, options)`.

    What happens to a sample is drawn for the whole split at once, before the epoch, from (seed, epoch): it does not
    depend on the batch that the sample lands in. Nor may what `apply` makes of an image depend on the others of its
    batch, to the last bit.
    """

    def fit(self, statistics: Statistics) -> None:  # noqa: B027 - most need to know nothing
        """Learn what is needed of the training split; called once, before anything is drawn."""

    @abc.abstractmethod
    def draw(self, samples: int, generator: torch.Generator) -> Any:
        """The random choices of an epoch.

        Returns:
            A tensor (samples, ...), or what like a tensor has `choices[index]` and `choices.to(device)`; None where
            nothing is random.
        """

    @abc.abstractmethod
    def apply(self, images: Tensor, choices: Any) -> Tensor:
        """Change a batch.

        Args:
            images: (N, C, H, W), normalised, so that zero is the mean of the training images.
            choices: the rows of `draw` that belong to these images.
        """

    def window(self, choice: Any, height: int, width: int, size: tuple[int, int]) -> Window | None:
        """The part of a larger image, such as a photograph in a file, that is scaled to a training image.

        Asked in the processes that read, which know nothing of `fit`.

        Args:
            choice: the row of `draw` that belongs to this image.
            height: of the image, in pixels.
            width: of the image, in pixels.
            size: height and width of the training image.

        Returns:
            None where the augmentation cuts nothing out of larger images; then the data set takes the centre.
        """
        return None

    def finish(self, images: Tensor, choices: Any) -> Tensor:
        """`apply`, for images that are cut out by `window` already."""
        return self.apply(images, choices)


class Evaluation(abc.ABC):
    """What of an image the network is shown when it is measured. Built as `Evaluation(*, options)`.

    Attributes:
        margin: pixels around the network's image that `views` needs: more of a larger image, zeros around a small one.
    """

    margin: int = 0

    @abc.abstractmethod
    def views(self, images: Tensor) -> Iterator[Tensor]:
        """The views, each (N, C, H, W), over which the network's softmax outputs are averaged.

        Args:
            images: (N, C, H + 2 margin, W + 2 margin), normalised.
        """
