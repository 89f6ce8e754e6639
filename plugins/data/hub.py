"""Any image classification set of the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ablate import DataSet, Splits, register

from ._hub import HubSet
from ._options import at_least
from ._pictures import check_channels, check_resize


@register("data", "hub")
class Hub(DataSet):
    """An image classification set through Hugging Face `datasets` (extra `hf`), by its name there.

    Pictures are upright, as their EXIF orientation says, and show the upper 8 of 16 bits.

    Args:
        path: name on the hub, or a local folder that `datasets.load_dataset` reads.
        classes: number of classes.
        size: height and width of the network's images, in pixels.
        resize: shortest side that a picture is scaled to before its centre is cut out; null: every picture has the
            size already, and the set is kept in memory.
        channels: 1 for grey images, 3 for coloured ones; pictures are converted.
        batch_size: images in a training step.
        config: which of the set's configurations; null where there is one only.
        image: column of the pictures.
        label: column of the labels, whole numbers from 0.
        train: split that is trained on.
        test: split that is only measured.
    """

    @classmethod
    def reads(
        cls, *, path: str, image: str, label: str, config: str | None, train: str, test: str, **options: Any
    ) -> list[Path] | str | None:
        """A local folder; of the hub, what the library says of the files behind its rows."""
        if Path(path).is_dir():
            return [Path(path)]
        return HubSet(path, image=image, label=label, config=config, train=train, test=test).content()

    def __init__(
        self,
        *,
        path: str,
        classes: int,
        size: int,
        resize: int | None = None,
        channels: int = 3,
        batch_size: int = 128,
        config: str | None = None,
        image: str = "image",
        label: str = "label",
        train: str = "train",
        test: str = "test",
    ) -> None:
        at_least(1, batch_size=batch_size, size=size)
        at_least(2, classes=classes)
        check_channels(channels)
        check_resize(resize, size)
        self.source = HubSet(path, image=image, label=label, config=config, train=train, test=test)
        self.classes = classes
        self.size = (size, size)
        self.resize = resize
        self.channels = channels
        self.batch_size = batch_size

    def look(self) -> bool:
        """Whether both splits are in the hub's own cache, or in a local folder."""
        return self.source.content() is not None

    def check(self) -> None:
        """Download both splits into the hub's own cache, where they are not there."""
        self.source.check()

    def load(self) -> Splits:
        """Both splits; in memory, decoded once, where every picture has the size."""
        if self.resize is None:
            return self.source.load(self.channels, self.size[0])
        return Splits(*self.source.rows(self.channels, self.resize))
