"""scikit-learn's scans of digits, in the split that all of this project's data sets of them share."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

from ablate import Split, Splits

# Besides what `scans` names, the packages in which scikit-learn looks for the files that it ships.
IMPORTS = ("sklearn.datasets", "sklearn.datasets.data", "sklearn.datasets.descr", "sklearn.model_selection")
SPLIT_SEED = 0  # the split is part of the data set: the same for every study


@cache
def read() -> tuple[np.ndarray, np.ndarray, Any, Any]:
    """Scans (N, 8, 8), labels (N,), and which of them are for training and for testing.

    Of numpy arrays alone: torch would start threads for them, which the processes forked from this one would lack.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    train, test = train_test_split(
        np.arange(len(digits.target)), test_size=0.2, stratify=digits.target, random_state=SPLIT_SEED
    )
    return digits.images.astype(np.uint8), digits.target.astype(np.int64), train, test


def scans() -> Splits:
    """A fixed stratified split: 1,437 scans (N, 1, 8, 8) with values in 0 .. 16 to train on, 360 to test."""
    images, labels, *parts = read()
    train, test = (Split(torch.from_numpy(images[part][:, None]), torch.from_numpy(labels[part])) for part in parts)
    return Splits(train, test)
