"""Trained networks small enough that what is measured on them is worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ablate
from ablate import Evaluation, Measurement, Trained
from ablate.measure.columns import finite
from ablate.measure.probing import fetched
from ablate.system.streams import generator
from ablate.training.evaluation import averaged

from .looks import Classifier, Unit, batch, pointwise

Batches = list[tuple[Tensor, Tensor]]


class Given(Trained):
    """A network and its two splits."""

    seed, classes = 0, 2

    def __init__(self, model: nn.Module, test: Batches, train: Batches | None = None, **others: Trained) -> None:
        self.model = model.eval()
        self.parts = {"test": test, "train": train or test}
        self.shape = cast(tuple[int, int, int], tuple(test[0][0].shape[1:]))
        self.others = others
        self.known: dict[str, Tensor] = {}

    def batches(self, part: str, margin: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in self.parts[part]:
            yield F.pad(images, (margin,) * 4), labels

    def traits(self, part: str) -> Mapping[str, Tensor]:
        return self.known if part == "test" else {}

    def training_batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        yield from self.parts["train"]

    @torch.no_grad()
    def evaluate(self, part: str = "test", evaluation: Evaluation | None = None) -> tuple[float, float]:
        margin = evaluation.margin if evaluation else 0
        logits, labels = [], []
        for images, truth in self.batches(part, margin):
            views = evaluation.views(images) if evaluation else [images]
            logits.append(averaged([self.model(view) for view in views]))
            labels.append(truth)
        found, truth = torch.cat(logits), torch.cat(labels)
        return float(F.cross_entropy(found, truth)), float((found.argmax(1) != truth).float().mean())

    def precision(self) -> AbstractContextManager[object]:
        return nullcontext()

    def generator(self, *names: str | int) -> torch.Generator:
        return generator(self.seed, *names)

    def of_arm(self, arm: str) -> Trained:
        return self.others[arm]


def measurement(name: str, **options: Any) -> Measurement:
    return cast(Measurement, ablate.build("measurement", {"name": name, **options}))


def measured(name: str, trained: Trained, **options: Any) -> tuple[dict[str, float | None], list[dict[str, Any]]]:
    """Columns and rows, as results and tables have them."""
    taken = measurement(name, **options)
    found = taken.measure(trained)
    return finite(name, taken.columns, found.values), fetched(found.rows)


def residual(*factors: float, a: float = 1.0) -> nn.Sequential:
    """x -> x + w x for each factor, between a stem that keeps its input and a classifier of the pixels' mean."""
    return nn.Sequential(pointwise(1.0), *(Unit(factor) for factor in factors), Classifier(a))


def signs(*values: float) -> Batches:
    """Images of one pixel whose label is 0 where it is positive, as the classifier has it."""
    return [(batch(*([value] for value in values)), torch.tensor([int(value < 0) for value in values]))]
