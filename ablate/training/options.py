"""The options of `trainer`, checked before any process starts; nothing heavy is imported here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ablate.errors import InputError
from ablate.training.history import METRICS
from ablate.training.numerics import check_numerics


def check_options(trainer: Mapping[str, Any]) -> None:
    """Refuse options of `trainer` that make no sense.

    Raises:
        InputError: a number that is too small, a value that an option does not have, or a threshold that is none.
    """
    for name in ("epochs", "eval_every", "threads"):
        if trainer[name] < 1:
            raise InputError(f"trainer.{name}={trainer[name]}: must be at least 1")
    if trainer["workers"] is not None and trainer["workers"] < 0:
        raise InputError(f"trainer.workers={trainer['workers']}: must be at least 0")
    check_numerics(trainer)
    for text in trainer["epochs_to"]:
        threshold(text)


def threshold_name(text: str) -> str:
    """A threshold in the one form in which its metric is named: `epochs_to/` and then this.

    Raises:
        InputError: it is none.
    """
    metric, value = threshold(text)
    return f"{metric}<{value:g}"


def threshold(text: str) -> tuple[str, float]:
    """Read a threshold such as `train/loss<0.5`: a metric, and the value that it is to fall below.

    Raises:
        InputError: it is none.
    """
    match = re.fullmatch(rf"\s*({'|'.join(METRICS)})\s*<\s*(\d*\.?\d+(?:[eE][+-]?\d+)?)\s*", text)
    if not match:
        raise InputError(f"trainer.epochs_to: '{text}' is no threshold; write one such as train/loss<0.5")
    return match[1], float(match[2])
