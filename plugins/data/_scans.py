"""scikit-learn's scans of digits, in the split that all of this project's data sets of them share."""

from __future__ import annotations

import torch
from torch import Tensor

from ablate import Split, Splits

# Besides what `scans` names, the packages in which scikit-learn looks for the files that it ships.
IMPORTS = ("sklearn.datasets", "sklearn.datasets.data", "sklearn.datasets.descr", "sklearn.model_selection")
SPLIT_SEED = 0  # the split is part of the data set: the same for every study


def scans() -> Splits:
    """A fixed stratified split: 1,437 scans (N, 1, 8, 8) with values in 0 .. 16 to train on, 360 to test."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images: Tensor = torch.from_numpy(digits.images).to(torch.uint8).unsqueeze(1)
    labels: Tensor = torch.from_numpy(digits.target).long()
    train, test = train_test_split(range(len(labels)), test_size=0.2, stratify=labels, random_state=SPLIT_SEED)
    return Splits(Split(images[train], labels[train]), Split(images[test], labels[test]))
