"""The digits that scikit-learn ships: real scans, on every machine."""

from typing import ClassVar

from ablate import DataSet, InputError, Split, Splits, register

from ._options import at_least
from ._resize import check_side, resized
from ._scans import IMPORTS, read, scans

TRAIN, TEST = 1437, 360
SIDE = 8


@register("data", "digits")
class Digits(DataSet):
    """1,797 scanned digits of 8x8 pixels in 17 grey levels, 10 classes (UCI, Alpaydin and Kaynak 1998); embedded.

    Args:
        batch_size: images in a training step.
        train: images to train on, the first ones of a fixed shuffle; null: all 1,437.
        test: images that are only measured, likewise; null: all 360.
        side: height and width of the images, to which the scans are resized by area.
    """

    channels, size, classes = 1, (SIDE, SIDE), 10
    samples: tuple[int, int]
    imports = IMPORTS
    before: ClassVar[dict[str, int | None]] = {"train": None, "test": None, "side": SIDE}

    def __init__(
        self, *, batch_size: int = 64, train: int | None = None, test: int | None = None, side: int = SIDE
    ) -> None:
        at_least(1, batch_size=batch_size)
        check_side(side)
        for name, asked, most in (("train", train, TRAIN), ("test", test, TEST)):
            if asked is not None and not 1 <= asked <= most:
                raise InputError(f"data.{name}={asked}: from 1 to {most}")
        self.batch_size = batch_size
        self.size = (side, side)
        self.samples = (TRAIN if train is None else train, TEST if test is None else test)

    @classmethod
    def preload(cls) -> None:
        read()

    def load(self) -> Splits:
        """A fixed stratified split, or its beginning."""
        whole = scans()
        train, test = (
            resized(Split(split.images[:count], split.labels[:count]), self.size[0])
            for split, count in zip((whole.train, whole.test), self.samples, strict=True)
            if isinstance(split, Split)
        )
        return Splits(train, test)
