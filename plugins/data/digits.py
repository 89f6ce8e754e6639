"""The digits that scikit-learn ships: real scans, on every machine."""

from ablate import DataSet, Splits, register

from ._options import at_least
from ._scans import IMPORTS, read, scans


@register("data", "digits")
class Digits(DataSet):
    """1,797 scanned digits of 8x8 pixels in 17 grey levels, 10 classes (UCI, Alpaydin and Kaynak 1998); embedded.

    Args:
        batch_size: images in a training step.
    """

    channels, size, classes = 1, (8, 8), 10
    samples = (1437, 360)
    imports = IMPORTS

    def __init__(self, *, batch_size: int = 64) -> None:
        at_least(1, batch_size=batch_size)
        self.batch_size = batch_size

    @classmethod
    def preload(cls) -> None:
        read()

    def load(self) -> Splits:
        """A fixed stratified split: 1,437 images to train on, 360 to test."""
        return scans()
