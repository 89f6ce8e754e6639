"""Fits that last as long as is asked for, on a slow CPU and on a card: as many epochs or steps as that takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

MARGIN = 1.2  # so that a fit that happens to be faster than the one it was sized by lasts long enough, too
MOST_GROWTH = 50.0  # from one trial to the next: the first, of a moment, says little


def count_for(least: float, fit: Callable[[int], float], first: int = 1) -> int:
    """How many epochs, or steps, a fit needs to last so long.

    Args:
        least: seconds; with 0 the first trial is enough.
        fit: runs one of so many, and gives the seconds that it took.
        first: how many the first trial has.
    """
    count = first
    # Until one has lasted: the first of them also pays for what is done once, and would make the others too short.
    while (taken := fit(count)) < least:
        growth = min(MOST_GROWTH, MARGIN * least / taken) if taken > 0 else MOST_GROWTH
        count = max(count + 1, math.ceil(count * growth))
    return count


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, torch computes with one thread, a slot's share."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
