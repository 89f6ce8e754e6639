"""The digits that scikit-learn ships: real scans, on every machine."""

import torch

from ablate import DataSet, InputError, Split, Splits, register

SPLIT_SEED = 0  # the split is part of the data set: the same for every study


@register("data", "digits")
class Digits(DataSet):
    """1,797 scanned digits of 8x8 pixels in 17 grey levels, 10 classes (UCI, Alpaydin and Kaynak 1998); embedded."""

    channels, size, classes = 1, (8, 8), 10
    samples = (1437, 360)
    imports = ("sklearn.datasets", "sklearn.model_selection")

    def __init__(self, *, batch_size: int = 64) -> None:
        if batch_size < 1:
            raise InputError(f"data.batch_size={batch_size}: must be at least 1")
        self.batch_size = batch_size

    def load(self) -> Splits:
        """A fixed stratified split: 1,437 images to train on, 360 to test."""
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        digits = load_digits()
        images = torch.from_numpy(digits.images).to(torch.uint8).unsqueeze(1)
        labels = torch.from_numpy(digits.target).long()
        train, test = train_test_split(range(len(labels)), test_size=0.2, stratify=labels, random_state=SPLIT_SEED)
        return Splits(Split(images[train], labels[train]), Split(images[test], labels[test]))
