"""What a cell records, and how a metric is to be read."""

from __future__ import annotations

import math
from collections.abc import Iterable

STANDARD = ("train/loss", "train/error", "test/loss", "test/error")
STATIC = frozenset({"params", "flops"})  # of the network itself: known without training, the same for every seed
HIGHER_IS_BETTER = frozenset({"accuracy", "acc", "auc", "f1", "precision", "recall"})


def recorded_metrics(epochs_to: Iterable[str] = ()) -> list[str]:
    """The metrics of a cell, where these are its thresholds (`trainer.epochs_to`, such as `train/loss<0.5`)."""
    return [*STANDARD, *sorted(STATIC), "seconds", *(f"epochs_to/{text}" for text in epochs_to)]


def worst_value(metric: str) -> float:
    """Where a diverged cell ranks on a metric: minus infinity where higher is better, else plus infinity.

    Higher is better for a metric whose last part has one of the words of `HIGHER_IS_BETTER`, such as
    `test/top5_accuracy`. All others (losses, errors, epochs, seconds) are taken to be better when lower.
    """
    words = metric.rsplit("/", 1)[-1].lower().split("_")
    return -math.inf if HIGHER_IS_BETTER & set(words) else math.inf
