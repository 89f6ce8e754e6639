"""Digits on clutter: as hard as small photographs, and on every machine."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from platformdirs import user_cache_path
from torch import Tensor

from ablate import DataSet, InputError, Split, Splits, register, unknown

from ._clutter import CHUNK, SIDE, chunk, digit_sides
from ._kept import keep, kept
from ._options import at_least
from ._resize import check_side, resized
from ._scans import IMPORTS, scans

VERSION = 1  # of what is drawn; a change makes other images, under another file name
Scans = tuple[NDArray[np.uint8], NDArray[np.int64]]
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
        side: height and width of the images; those of 32x32 are made, and resized by area as they are loaded.
    """

    channels, size, classes = 3, (SIDE, SIDE), 10
    imports = IMPORTS
    incidental = ("cache",)
    before: ClassVar[dict[str, int]] = {"side": SIDE}

    samples: tuple[int, int]

    def __init__(
        self,
        *,
        batch_size: int = 128,
        train: int = 5_000,
        test: int = 1_000,
        seed: int = 0,
        cache: Path | None = None,
        side: int = SIDE,
    ) -> None:
        at_least(1, batch_size=batch_size, train=train, test=test)
        at_least(0, seed=seed)
        check_side(side)
        for name, value in {"train": train, "test": test}.items():
            if value > MOST[name]:
                raise InputError(f"data.{name}={value}: at most {MOST[name]}")
        self.batch_size = batch_size
        self.samples = (train, test)
        self.seed = seed
        self.cache = cache
        self.size = (side, side)

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
        splits = kept(self.file, self._make)
        train, test = (
            resized(split, self.size[0]) for split in (splits.train, splits.test) if isinstance(split, Split)
        )
        return Splits(train, test)

    def traits(self, part: str) -> Mapping[str, Tensor]:
        """`digit_side`: height and width of the scan that the image shows, in pixels of the image; 14 to 24 of 32.

        Drawn again as the images were, and kept nowhere.
        """
        if part not in MOST:
            raise unknown("split", part, MOST)
        number = list(MOST).index(part)
        sides = [digit_sides(*scans, *stream) for scans, *stream in self._streams(number, _parts()[number])]
        pixels = torch.from_numpy(np.concatenate(sides)[: self.samples[number]])
        return {"digit_side": pixels * (self.size[0] / SIDE)}

    def _make(self) -> tuple[Split, Split]:
        train, test = (self._drawn(number, split) for number, split in enumerate(_parts()))
        return train, test

    def _drawn(self, number: int, split: Split) -> Split:
        parts = [chunk(*scans, *stream) for scans, *stream in self._streams(number, split)]
        images, labels = (np.concatenate(arrays)[: self.samples[number]] for arrays in zip(*parts, strict=True))
        return Split(torch.from_numpy(images), torch.from_numpy(labels))

    def _streams(self, number: int, split: Split) -> Iterator[tuple[Scans, int, int, int]]:
        """The scans and the random stream of each thousand images of a split."""
        digits = split.images[:, 0].numpy(), split.labels.numpy()
        for place in range(math.ceil(self.samples[number] / CHUNK)):
            yield digits, self.seed, number, place


def _parts() -> list[Split]:
    """The scans that training images and those that test images are made of."""
    splits = scans()
    return [split for split in (splits.train, splits.test) if isinstance(split, Split)]
