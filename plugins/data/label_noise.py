"""A data set some of whose training labels are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ablate import DataSet, InputError, Split, Splits, build, register

from ._options import at_least
from ._scans import IMPORTS, read

STREAM = 0x6E6F697365  # "noise", so that no other draw of the same seed has this stream


@register("data", "label_noise")
class LabelNoise(DataSet):
    """Another data set with wrong labels for a share of its training images; for controls: an effect that must show.

    Which images, and what they are called, depends on `seed` alone: it is the same for every arm, seed and machine, and
    the images that a smaller share gets wrong are among those of a larger one. Test labels stay as they are. The
    training split is measured as it is trained on, so a network that fits it has a `train/error` of zero.

    Args:
        of: the set; only ones that are made of embedded data, so that the options say all that it holds.
        share: of the training images that are labelled wrong, from 0 to 1, to the nearest whole image; each gets any of
            the other classes with equal chance.
        seed: of the wrong labels, the same for every study; the seed of a cell does not change the data.
        batch_size: images in a training step.
        train: training images; null: as many as the set has by default.
        test: test images, likewise.
        cache: folder of `cluttered_digits`; null: the user's cache folder.
    """

    imports = IMPORTS
    incidental = ("cache",)

    channels: int
    size: tuple[int, int]
    classes: int

    def __init__(
        self,
        *,
        of: Literal["digits", "cluttered_digits"] = "digits",
        share: float = 0.1,
        seed: int = 0,
        batch_size: int = 64,
        train: int | None = None,
        test: int | None = None,
        cache: Path | None = None,
    ) -> None:
        at_least(0, seed=seed)
        if not 0 <= share <= 1:
            raise InputError(f"data.share={share}: must be from 0 to 1")
        options: dict[str, Any] = {"batch_size": batch_size, "train": train, "test": test}
        if of == "cluttered_digits":
            options["cache"] = cache
        self.inner: DataSet = build(
            "data", {"name": of, **{name: value for name, value in options.items() if value is not None}}
        )
        self.batch_size = batch_size
        self.share = share
        self.seed = seed
        self.channels, self.size, self.classes = self.inner.channels, self.inner.size, self.inner.classes
        self.samples = self.inner.samples

    @classmethod
    def preload(cls) -> None:
        read()

    def look(self) -> bool:
        return self.inner.look()

    def check(self) -> None:
        self.inner.check()

    def load(self) -> Splits:
        """The set's splits, with wrong labels in the one that is trained on."""
        splits = self.inner.load()
        assert isinstance(splits.train, Split)
        labels = mislabelled(splits.train.labels, self.share, self.seed, self.classes)
        return Splits(Split(splits.train.images, labels), splits.test)


def mislabelled(labels: Tensor, share: float, seed: int, classes: int) -> Tensor:
    """Labels of which a share is wrong.

    Args:
        labels: (N,) int64, in 0 .. classes - 1.
        share: of them that is changed, to the nearest whole number.
        seed: of which, and into what.
        classes: how many there are.

    Returns:
        (N,) int64: another tensor.
    """
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([STREAM, seed])))
    # Drawn for all of them: what becomes of an image does not depend on the share.
    order = random.permutation(len(labels))
    shifts = random.integers(1, classes, len(labels))
    shifts[order[round(share * len(labels)) :]] = 0
    return (labels + torch.from_numpy(shifts)) % classes
