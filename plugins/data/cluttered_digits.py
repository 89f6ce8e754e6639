"""Digits on clutter: as hard as small photographs, and on every machine."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from platformdirs import user_cache_path

from ablate import DataSet, InputError, Split, Splits, register

from ._clutter import CHUNK, SIDE, chunk
from ._kept import keep, kept
from ._options import at_least
from ._scans import IMPORTS, scans

VERSION = 1  # of what is drawn; a change makes other images, under another file name
MOST = {"train": 50_000, "test": 10_000}


@register("data", "cluttered_digits")
class ClutteredDigits(DataSet):
    """Scans of digits placed, turned, scaled and coloured on textured clutter, 32x32 pixels, 10 classes; embedded.

    Made from scikit-learn's scans, once, and kept in a cache; test images come from scans that no training image shows.

    Args:
        batch_size: images in a training step.
        train: training images, at most 50,000; a smaller set is the beginning of a larger one.
        test: test images, at most 10,000.
        seed: of the images, the same for every study; the seed of a cell does not change the data.
        cache: folder of what was made; null: the user's cache folder.
    """

    channels, size, classes = 3, (SIDE, SIDE), 10
    imports = IMPORTS
    incidental = ("cache",)

    samples: tuple[int, int]

    def __init__(
        self,
        *,
        batch_size: int = 128,
        train: int = 5_000,
        test: int = 1_000,
        seed: int = 0,
        cache: Path | None = None,
    ) -> None:
        at_least(1, batch_size=batch_size, train=train, test=test)
        at_least(0, seed=seed)
        for name, value in {"train": train, "test": test}.items():
            if value > MOST[name]:
                raise InputError(f"data.{name}={value}: at most {MOST[name]}")
        self.batch_size = batch_size
        self.samples = (train, test)
        self.seed = seed
        self.cache = cache

    @property
    def file(self) -> Path:
        """Where the images are kept."""
        folder = user_cache_path("ablate") if self.cache is None else Path(self.cache)
        train, test = self.samples
        return folder / f"cluttered_digits-v{VERSION}-seed{self.seed}-{train}-{test}.npz"

    def check(self) -> None:
        """Make the images where they are not in the cache yet: once, also where several processes ask at a time."""
        keep(self.file, self._make)

    def load(self) -> Splits:
        """Both splits, from the cache."""
        return kept(self.file, self._make)

    def _make(self) -> tuple[Split, Split]:
        train, test = (
            self._drawn(number, split, samples)
            for number, (split, samples) in enumerate(zip(_parts(), self.samples, strict=True))
        )
        return train, test

    def _drawn(self, number: int, split: Split, samples: int) -> Split:
        digits, classes = split.images[:, 0].numpy(), split.labels.numpy()
        parts = [chunk(digits, classes, self.seed, number, n) for n in range(math.ceil(samples / CHUNK))]
        images, labels = (np.concatenate(arrays)[:samples] for arrays in zip(*parts, strict=True))
        return Split(torch.from_numpy(images), torch.from_numpy(labels))


def _parts() -> list[Split]:
    """The scans that training images and those that test images are made of."""
    splits = scans()
    return [split for split in (splits.train, splits.test) if isinstance(split, Split)]
