"""A data set that does not fit on the device: worker processes read batches ahead of training."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ablate.errors import InputError
from ablate.interfaces.data import Augment, Samples, Split, Splits, Window
from ablate.system import heartbeat
from ablate.system.streams import generator
from ablate.training.feed import Batch, Feed, evaluation_batch, rows
from ablate.training.handing_over import Read, cannot_start, check_semaphores, handed_over, plain, taken, unchanged
from ablate.training.statistics import PixelStatistics

AHEAD = 4  # batches that each worker reads before they are asked for
# How workers start. In a cell's process the default is a server of its own, which imports everything anew and gets the
# names of all files sent; forked, workers share them with it.
FORK = "fork" if sys.platform == "linux" else None
STATISTICS_IMAGES = 8192  # of images in files: mean and deviation are known to a thousandth from so many


@dataclass(frozen=True)
class Request:
    """A batch to read.

    Attributes:
        split: `train` or `test`.
        index: (B,) of its samples.
        choices: their augmentation, where the images are to be cut out by it.
        margin: pixels around the network's image.
    """

    split: str
    index: Tensor
    choices: Any = None
    margin: int = 0

    def __reduce__(self) -> tuple[Any, ...]:
        """Without shared memory, which small tensors would take, too."""
        return _request, (plain((self.split, self.index, self.choices, self.margin)),)


def _request(parts: bytes) -> Request:
    return Request(*pickle.loads(parts))


class Reader(Dataset[Any]):
    """Reads batches, in whatever process it finds itself.

    Args:
        splits: the data.
        augment: says which part of a larger image is used.
        size: height and width of the network's images.
    """

    def __init__(self, splits: Splits, augment: Augment, size: tuple[int, int]) -> None:
        self.splits = splits
        self.augment = augment
        self.size = size

    def __getitem__(self, request: Request) -> Any:
        """The batch, or the error that says which image cannot be read: raised here it would lose its one line."""
        split: Split | Samples = getattr(self.splits, request.split)
        try:
            images = split.images[request.index] if isinstance(split, Split) else self._stacked(split, request)
        except InputError as error:
            return error
        heartbeat.read()
        return handed_over(images, split.labels[request.index])

    def _stacked(self, split: Samples, request: Request) -> Tensor:
        height, width = (side + 2 * request.margin for side in self.size)
        return torch.stack(
            [
                split.read(sample, (height, width), partial(self._window, request.choices, place))
                for place, sample in enumerate(request.index.tolist())
            ]
        )

    def _window(self, choices: Any, place: int, height: int, width: int) -> Window | None:
        heartbeat.read()  # the image's size is known by now
        if choices is None:
            return None
        return self.augment.window(choices[place], height, width, self.size)


class StreamedData(Feed):
    """Batches that workers read ahead; the device gets them as uint8, and normalises and augments there.

    Order, augmentation and images do not depend on the workers: each request holds what it needs, and the batches
    come back in the order of the requests.

    Args:
        splits: the data.
        augment: changes to training images.
        seed: of the cell.
        device: where batches are made.
        size: height and width of the network's images.
        batch_size: images in a training step.
        workers: processes that read; 0: this one reads.
        channels_last: whether batches have that memory format.
        margin: pixels around images that are evaluated.
    """

    def __init__(
        self,
        splits: Splits,
        augment: Augment,
        seed: int,
        device: torch.device,
        *,
        size: tuple[int, int],
        batch_size: int,
        workers: int,
        channels_last: bool = True,
        margin: int = 0,
    ) -> None:
        self.size = size
        self.batch_size = batch_size
        self.from_memory = isinstance(splits.train, Split)
        self._pinned = device.type == "cuda"
        # Before the base's own constructor, for which the statistics are read through it.
        self._read = ReadAhead(Reader(splits, augment, size), workers=workers, pinned=self._pinned)
        self._augmented = augment.apply if self.from_memory else augment.finish
        statistics = PixelStatistics(partial(self._images_for_statistics, splits.train))
        super().__init__(
            splits, augment, seed, device, statistics=statistics, channels_last=channels_last, margin=margin
        )

    def start_epoch(self, epoch: int) -> Tensor:
        """Draw the augmentation of an epoch and return its order (N,), on the CPU; the workers begin to read."""
        # Drawn here and sent along with the requests: a worker that drew by itself would make the images depend on how
        # many workers there are.
        order, self._choices = self.draw_epoch(epoch)
        asked = None if self.from_memory else self._choices
        requests = [Request("train", index, rows(asked, index)) for index in order.split(self.batch_size)]
        self._epoch = zip(requests, self._read(requests), strict=True)
        return order

    def training_batch(self, index: Tensor) -> Batch:
        """Images (B, C, H, W), normalised and augmented, and labels (B,) of the next training samples."""
        # `index` may be on the GPU, and to look into it would wait for all that runs there.
        request, read = next(self._epoch)
        assert len(request.index) == len(index), "batches come in the order of the epoch"
        images, labels = self._on_device(read)
        choices = rows(self._choices, request.index)
        images = self._augmented(self._normalised(images), None if choices is None else choices.to(self.device))
        return self._laid_out(images), labels

    def evaluation_batches(self, split: Split | Samples) -> Iterator[Batch]:
        """All of a split in its own order, normalised, without augmentation."""
        name = "train" if split is self.train else "test"
        margin = 0 if self.from_memory else self.margin
        size = evaluation_batch(self.mean.numel(), self.size, self.device)
        index = torch.arange(len(split.labels)).split(size)
        for read in self._read([Request(name, part, margin=margin) for part in index]):
            images, labels = self._on_device(read)
            yield self._for_evaluation(images) if self.from_memory else self._laid_out(self._normalised(images)), labels

    def close(self) -> None:
        """End the workers."""
        self._read.close()

    def _images_for_statistics(self, train: Split | Samples) -> Iterator[Tensor]:
        """The split where it is in memory, of files the centres of always the same ones."""
        if isinstance(train, Split):
            yield train.images
            return
        # Not from the cell's seed: all seeds of a study are to be normalised alike.
        index = torch.randperm(len(train.labels), generator=generator(0, "statistics"))[:STATISTICS_IMAGES]
        for images, _ in self._read([Request("train", part) for part in index.split(self.batch_size)]):
            yield images

    def _on_device(self, read: Read) -> Read:
        images, labels = read
        return images.to(self.device, non_blocking=self._pinned), labels.to(self.device, non_blocking=self._pinned)


class ReadAhead:
    """Reads batches before they are asked for, in worker processes that stay from epoch to epoch.

    They are forked from this process, and each page of memory that it writes to afterwards is copied first. Forked for
    every epoch anew, that took longer than what this process does with the batches.

    Args:
        reader: reads a batch.
        workers: processes that read; 0: this one.
        pinned: put the batches where a GPU can fetch them by itself.
    """

    def __init__(self, reader: Reader, *, workers: int, pinned: bool = False) -> None:
        self._requests: list[Request] = []
        self._workers = workers
        self._loader: partial[DataLoader[Any]] = partial(
            DataLoader,
            reader,
            batch_size=None,  # a request is a whole batch
            collate_fn=unchanged,
            sampler=self._requests,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=AHEAD if workers else None,
            pin_memory=pinned,
            multiprocessing_context=FORK if workers else None,
        )
        self._started: DataLoader[Any] | None = None
        self._batches: Iterator[Any] = iter(())
        self._asked = 0

    def __call__(self, requests: Sequence[Request]) -> Iterator[Read]:
        """The batches of these requests, in their order; the workers begin at once, and leave what was asked before.

        Raises:
            InputError: an image cannot be read, or no worker can be started.
            RuntimeError: they are taken after others have been asked for.
        """
        if self._started is None:
            # With a generator of its own: else it would take from the stream of the network's dropout.
            check_semaphores(self._workers)
            self._started = self._loader(generator=torch.Generator())
        # In place: the loader, kept for the sake of its workers, holds this very list as its sampler.
        self._requests[:] = requests
        heartbeat.waiting(self._workers > 0)  # each has to say that it has left what was asked before
        try:
            self._batches = iter(self._started)
        except OSError as error:
            raise cannot_start(error) from error
        heartbeat.waiting(False)
        self._asked += 1
        return self._taken(len(requests), self._asked)

    def close(self) -> None:
        """End the workers; the next call starts others. Left to the garbage collector they are waited for."""
        self._asked += 1
        self._batches = iter(())
        # Dropped and not shut down: the loader has no call for that, and ends its workers when it is collected.
        self._started = None

    def _taken(self, count: int, asked: int) -> Iterator[Read]:
        for _ in range(count):
            # Whoever holds an older iterator would get the batches of the newer requests, without any error.
            if asked != self._asked:
                raise RuntimeError("these batches are not read any more: others have been asked for")
            heartbeat.waiting(self._workers > 0)
            batch = next(self._batches)
            heartbeat.waiting(False)
            if isinstance(batch, InputError):
                self.close()
                raise batch
            yield taken(batch)
