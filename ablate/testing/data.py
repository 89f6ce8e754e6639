"""What a data set must do."""

from __future__ import annotations

import importlib
import random
import shutil
import threading
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from ablate import registry
from ablate.interfaces.data import DataSet, Samples, Split, Splits, Window
from ablate.interfaces.splits import check_declared, check_splits
from ablate.testing._base import refusal
from ablate.testing.feeding import FeedingConformance

READ = 3  # images of a split that are read from files


class DataConformance(FeedingConformance):
    """Tests of a data set.

    One that reads files has `prepare` write a few tiny ones of its format:

        class TestPhotos(DataConformance):
            name = "photos"

            def prepare(self, folder: Path) -> dict[str, Any]:
                write_photos(folder)
                return {"root": folder}
    """

    kind = "data"
    _where: ClassVar[dict[str, Any]] = {}

    def prepare(self, folder: Path) -> dict[str, Any]:
        """Write what the data set reads into an empty folder; the tests of a class share it.

        Returns:
            The options that say where it lies. `pytest.skip(...)` here where a package is missing.
        """
        return {}

    @pytest.fixture(autouse=True)
    def _prepared(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        cls = type(self)
        if "_where" not in vars(cls):  # once a class; but `prepare` is an instance's method, and so is this fixture
            cls._where = self.prepare(tmp_path_factory.mktemp("data"))

    def make(self, **options: Any) -> DataSet:
        """The data set, with what `prepare` wrote."""
        return cast(DataSet, super().make(**self._where, **options))

    def load(self) -> tuple[DataSet, Splits]:
        """The data set and its splits, loaded as a cell does."""
        data = self.make()
        data.check()
        return data, data.load()

    def test_it_says_the_shape_of_its_images_before_it_reads_them(self) -> None:
        data = self.make()
        check_declared(data)
        height, width = data.size
        for value in (data.channels, height, width, data.batch_size):
            assert isinstance(value, int)
            assert value >= 1
        assert data.classes >= 2

    def test_what_it_holds_is_as_it_says(self) -> None:
        data, splits = self.load()
        check_splits(data, splits)
        for split in (splits.train, splits.test):
            for image in _images(split, data.size):
                assert (image.dtype, tuple(image.shape)) == (torch.uint8, (data.channels, *data.size))

    def test_labels_are_classes(self) -> None:
        data, splits = self.load()
        for split in (splits.train, splits.test):
            labels = split.labels
            assert (labels.dtype, labels.dim()) == (torch.int64, 1), "labels are int64 (N,)"
            assert 0 <= labels.min() <= labels.max() < data.classes

    def test_both_splits_are_of_one_kind(self) -> None:
        _, splits = self.load()
        kinds = [Split if isinstance(split, Split) else Samples for split in (splits.train, splits.test)]
        assert kinds[0] is kinds[1]
        assert all(isinstance(split, kinds[0]) for split in (splits.train, splits.test))

    def test_it_has_as_many_samples_as_it_says(self) -> None:
        data, splits = self.load()
        if data.samples is not None:
            assert data.samples == (len(splits.train.labels), len(splits.test.labels))

    def test_it_is_the_same_at_every_load(self) -> None:
        """Every cell of a study loads it for itself."""
        loads = []
        for seed in (1, 2):
            for seeded in (random.seed, np.random.seed, torch.manual_seed):
                seeded(seed)
            data, splits = self.load()
            loads.append([(split.labels, _images(split, data.size)) for split in (splits.train, splits.test)])
        for (labels, images), (labels_again, images_again) in zip(*loads, strict=True):
            assert torch.equal(labels, labels_again)
            assert all(torch.equal(one, other) for one, other in zip(images, images_again, strict=True))

    def test_a_window_is_scaled_to_the_size_that_is_asked_for(self) -> None:
        data, splits = self.load()
        for split in (splits.train, splits.test):
            if isinstance(split, Samples):
                image = split.read(0, (6, 5), lambda height, width: Window(0, 0, height / 2, width / 2))
                assert (image.dtype, tuple(image.shape)) == (torch.uint8, (data.channels, 6, 5))

    def test_what_is_missing_is_said_in_one_line_before_any_cell_starts(self, tmp_path: Path) -> None:
        """Or it is made; then `load` finds it."""
        folder = tmp_path / "data"
        folder.mkdir()
        where = self.prepare(folder)
        shutil.rmtree(folder)
        data = cast(DataSet, registry.build(self.kind, {**self.node, **where}))
        said = refusal(data.check)
        assert "\n" not in said
        if said:
            assert refusal(data.load)
        else:
            data.load()

    def test_a_look_finds_what_is_there(self) -> None:
        data = self.make()
        data.check()
        assert data.look() is True

    def test_what_it_imports_is_there(self) -> None:
        for name in self.make().imports:
            importlib.import_module(name)

    def test_only_options_can_be_incidental(self) -> None:
        known = [option.name for option in registry.lookup(self.kind, self.name).parameters]
        assert [name for name in self.make().incidental if name not in known] == []

    def test_preloading_starts_no_thread(self) -> None:
        """It would be lost in the processes that are forked from the one that preloads."""
        before = threading.active_count()
        type(self.make()).preload()
        assert threading.active_count() == before


def _images(split: Split | Samples, size: tuple[int, int]) -> list[Tensor]:
    """All images of a split in memory, or the first few that are read; each (C, H, W)."""
    if isinstance(split, Split):
        return list(split.images)
    return [split.read(index, size, lambda height, width: None) for index in range(min(READ, len(split.labels)))]
