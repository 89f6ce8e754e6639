"""A trained network as measurements get it, with its data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from ablate import registry
from ablate.errors import InputError, unknown
from ablate.interfaces.data import DataSet, Evaluation, Samples, Split
from ablate.interfaces.measurement import PARTS, Trained
from ablate.network.loss import autocast
from ablate.system import heartbeat
from ablate.system.streams import generator
from ablate.training.evaluation import evaluate
from ablate.training.feed import Feed
from ablate.training.loading import build_feed

DECIDES_NUMBERS = False


class CellNetwork(Trained):
    """The network of a cell.

    Args:
        model: on its device.
        config: frozen, of the cell.
        feed: of the cell, where it has one already.
        cores: CPU cores for the processes that read the data.
        arm: of the study, where that is known.
        others: gives the networks of other arms.
    """

    def __init__(
        self,
        model: nn.Module,
        config: Mapping[str, Any],
        feed: Feed | None = None,
        *,
        cores: int = 1,
        arm: str = "",
        others: Callable[[str], Trained] | None = None,
    ) -> None:
        data: DataSet = registry.build("data", config["data"])
        self.model, self.config, self.arm, self.seed = model, config, arm, int(config["seed"])
        self.classes, self.shape = data.classes, (data.channels, *data.size)
        self._batch_size = data.batch_size
        self._evaluation: Evaluation = registry.build("evaluation", config["evaluation"])
        self._feeds = {} if feed is None else {feed.margin: feed}
        self._cores, self._others = cores, others

    def with_model(self, model: nn.Module) -> CellNetwork:
        """The same data with another network."""
        twin = CellNetwork(model, self.config, cores=self._cores, arm=self.arm, others=self._others)
        twin._feeds = self._feeds
        return twin

    def batches(self, part: str, margin: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """All of a split in its own order."""
        feed = self._feed(margin)
        return _told(feed.evaluation_batches(_split(feed, part)))

    def traits(self, part: str) -> Mapping[str, Tensor]:
        """What the data set knows of each image."""
        if part not in PARTS:
            raise unknown("split", part, PARTS)
        data: DataSet = registry.build("data", self.config["data"])
        return data.traits(part)

    def training_batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch, augmented."""
        feed = self._feed(self._evaluation.margin)
        return _told(feed.training_batches(feed.start_epoch(epoch).split(self._batch_size)))

    def evaluate(self, part: str = "test", evaluation: Evaluation | None = None) -> tuple[float, float]:
        """Mean loss and error over a split."""
        shown = evaluation or self._evaluation
        precision = self.config["trainer"]["precision"]
        return evaluate(self.model, self.batches(part, shown.margin), shown, precision, self.device)

    def precision(self) -> AbstractContextManager[object]:
        """Of a forward pass."""
        return autocast(self.device, self.config["trainer"]["precision"])

    def generator(self, *names: str | int) -> torch.Generator:
        """A fresh one for these names."""
        return generator(self.seed, "measure", *names)

    def of_arm(self, arm: str) -> Trained:
        """The network of another arm."""
        if self._others is None:
            raise InputError(f"the network of arm {arm} is asked for, and this measurement does not say `needs_others`")
        return self._others(arm)

    def close(self) -> None:
        """Let go of what reads the data."""
        for feed in self._feeds.values():
            feed.close()

    def _feed(self, margin: int) -> Feed:
        if margin not in self._feeds:
            augment = registry.build("augment", self.config["augment"])
            data: DataSet = registry.build("data", self.config["data"])
            around: Any = _Margin(margin)
            self._feeds[margin] = build_feed(
                data, augment, around, self.config["trainer"], self.seed, self.device, cores=self._cores
            )
        return self._feeds[margin]


def _told(batches: Iterator[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches; as each has been used, it is told that the cell makes progress."""
    for batch in batches:
        yield batch
        heartbeat.progress()


class _Margin:
    """What a feed needs to know of an evaluation."""

    def __init__(self, margin: int) -> None:
        self.margin = margin


def _split(feed: Feed, part: str) -> Split | Samples:
    if part not in PARTS:
        raise unknown("split", part, PARTS)
    return feed.train if part == "train" else feed.test
