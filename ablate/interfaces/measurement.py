"""Measurements: what is measured on a trained network, at the end of its cell or long afterwards."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from ablate.interfaces.chart import Chart
from ablate.interfaces.probe import Value

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ablate.interfaces.data import Evaluation

DECIDES_NUMBERS = False  # of training: it is over by then

PARTS = ("train", "test")


class Trained(abc.ABC):
    """A trained network, its data, and how its cell evaluates it.

    Whatever is done to `model` is undone before the next measurement; gradients may be taken.

    Attributes:
        model: (N, C, H, W) -> (N, classes) logits, in eval mode, on its device.
        classes: number of classes.
        shape: channels, height and width of the network's images.
        seed: of the cell.
        arm: of the study, where the cell is known as part of one; else empty.
    """

    model: nn.Module
    classes: int
    shape: tuple[int, int, int]
    seed: int
    arm: str = ""

    @property
    def device(self) -> torch.device:
        """Of the network."""
        return next(self.model.parameters()).device

    @abc.abstractmethod
    def batches(self, part: str, margin: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """All of a split in its own order, as it is measured: normalised, without augmentation.

        Args:
            part: `train` or `test`.
            margin: pixels around the images.

        Returns:
            Images (B, C, H + 2 margin, W + 2 margin) and labels (B,), on the device.
        """

    def traits(self, part: str) -> Mapping[str, Tensor]:
        """What the data set knows of each image of a split, as `DataSet.traits`, in the order of `batches`."""
        return {}

    @abc.abstractmethod
    def training_batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch as they were trained on, augmented: images (B, C, H, W) and labels (B,)."""

    @abc.abstractmethod
    def evaluate(self, part: str = "test", evaluation: Evaluation | None = None) -> tuple[float, float]:
        """Mean loss and error of the network as it stands, over a split, in eval mode.

        Args:
            part: `train` or `test`.
            evaluation: what of an image the network is shown; None: as the cell has it.
        """

    @abc.abstractmethod
    def precision(self) -> AbstractContextManager[object]:
        """The context in which the cell computes a forward pass (autocast, or nothing)."""

    @abc.abstractmethod
    def generator(self, *names: str | int) -> torch.Generator:
        """A fresh generator on the CPU for what is drawn, by the cell's seed and these names alone."""

    @abc.abstractmethod
    def of_arm(self, arm: str) -> Trained:
        """The network of another arm, at the same point of the grid with the same seed.

        Raises:
            InputError: there is none, or its weights were not kept.
        """


class Measurement(abc.ABC):
    """Something that is measured on a trained network. Built as `Measurement(*, options)`.

    Attributes:
        columns: names of the values that it gives, `MEASUREMENT/column` in results.
        needs_others: it asks for the networks of other arms (`Trained.of_arm`), so that it waits until all cells of the
            study are trained, and needs their weights (`study.keep=weights`).
        charts: of its table, in the report of a study; by default of its columns `place` and `value`, if it has them.
    """

    columns: tuple[str, ...] = ()
    needs_others: ClassVar[bool] = False
    charts: ClassVar[tuple[Chart, ...]] = (Chart("value"),)

    def nothing_in(self, trained: Trained) -> str:
        """Why there is nothing to measure, such as "the network has no residual units"; empty where there is.

        Its columns then stay empty, and the cell's log says so in one line; other cells of the study are measured.
        """
        return ""

    @abc.abstractmethod
    def measure(self, trained: Trained) -> Measured:
        """Measure it.

        Returns:
            Values of `columns`, and the rows of its table.
        """


class Measured:
    """What a measurement gives.

    Args:
        values: by column of results; one that is lacking or no number is empty there.
        rows: of the measurement's table, by column; none: it has no table.
    """

    def __init__(self, values: Mapping[str, float | Tensor], rows: Sequence[Mapping[str, Value]] = ()) -> None:
        self.values = dict(values)
        self.rows = list(rows)
