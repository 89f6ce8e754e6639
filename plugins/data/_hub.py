"""Image classification sets through Hugging Face `datasets`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ablate import Framing, InputError, Samples, Split, Splits

from ._kept import decoded_file, kept
from ._pictures import framed, pillow, reading, whole


@dataclass(frozen=True)
class HubSet:
    """Where a set lies on the hub, and what its parts are called.

    Attributes:
        path: name on the hub, or a local folder that `datasets.load_dataset` reads.
        image: column of the pictures.
        label: column of the labels, whole numbers from 0.
        config: which of the set's configurations; None where there is one only.
        train: split that is trained on.
        test: split that is only measured.
    """

    path: str
    image: str
    label: str
    config: str | None = None
    train: str = "train"
    test: str = "test"

    def check(self) -> None:
        """Download both splits into the hub's own cache, where they are not there.

        Raises:
            InputError: they cannot be had, or have no such columns.
        """
        pillow()
        for split in (self.train, self.test):
            self._rows(split)

    def content(self) -> str | None:
        """What stands for both splits: the commit that the library keeps them under; None where not here yet.

        The hub is not asked: who only plans must not wait for a network, nor download a set.
        """
        try:
            splits = [self._here(split) for split in (self.train, self.test)]
            return "-".join(Path(rows.cache_files[0]["filename"]).parent.name for rows in splits)
        except Exception:  # whatever it is, `check` fetches the set or says what is wrong
            return None

    def load(self, channels: int, size: int) -> Splits:
        """Both splits in memory; decoded once, and kept in the user's cache folder.

        Raises:
            InputError: they cannot be had, or a picture cannot be read or has another size.
        """
        train, test = self.rows(channels, size)
        contents = [rows.rows._fingerprint for rows in (train, test)]  # the library's, of the files behind the rows
        columns = [self.image, self.label]
        file = decoded_file("hub", contents=contents, columns=columns, channels=channels, size=size)
        return kept(file, lambda: (train.in_memory((size, size)), test.in_memory((size, size))))

    def rows(self, channels: int, resize: int) -> tuple[Rows, Rows]:
        """Both splits, to be read picture by picture."""
        train, test = (
            Rows(self._rows(split), self.image, self.label, channels, resize, f"{self.path}, split {split}")
            for split in (self.train, self.test)
        )
        return train, test

    def _here(self, split: str) -> Any:
        """A split out of the library's own cache; None where it is not there."""
        try:
            with _offline():
                import datasets

                return datasets.load_dataset(self.path, self.config, split=split)
        except Exception:
            return None

    def _rows(self, split: str) -> Any:
        try:
            import datasets
        except ImportError as error:
            raise InputError("data from the Hugging Face hub needs `datasets`: pip install 'datasets>=4.0'") from error
        try:
            # First without asking: where there is no network the library would wait for it.
            rows = self._here(split)
            if rows is None:
                rows = datasets.load_dataset(self.path, self.config, split=split)
        except Exception as error:  # the library lets through what its many readers and clients raise
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(
                f"cannot load split {split} of {self.path} from the Hugging Face hub ({reason}); where there is no "
                "network, load it once where there is one and copy the hub's cache (HF_HOME)"
            ) from error
        lacking = [name for name in (self.image, self.label) if name not in rows.column_names]
        if lacking:
            raise InputError(f"{self.path} has no column {', '.join(lacking)}; it has {', '.join(rows.column_names)}")
        return rows


@contextmanager
def _offline() -> Iterator[None]:
    """The library takes only what it has kept; its environment variable is read at its import alone."""
    from datasets import config

    before = config.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = before


class Rows(Samples):
    """A split of the hub, whose pictures are decoded when they are asked for.

    Args:
        rows: a `datasets.Dataset`.
        image: column of the pictures.
        label: column of the labels.
        channels: 1 or 3.
        resize: shortest side that a picture is scaled to before its centre is cut out.
        what: names the split in errors.
    """

    def __init__(self, rows: Any, image: str, label: str, channels: int, resize: int, what: str) -> None:
        self.rows = rows
        self.image = image
        self.channels = channels
        self.resize = resize
        self.what = what
        self.labels = _whole_numbers(rows[label][:], f"{what}: column {label}")

    def read(self, index: int, size: tuple[int, int], framing: Framing) -> Tensor:
        return self._picture(index, lambda picture: framed(picture, self.channels, size, framing, self.resize))

    def in_memory(self, size: tuple[int, int]) -> Split:
        """All of them, decoded; each must have that size."""
        if not len(self.labels):
            raise InputError(f"{self.what} is empty")

        def load(index: int) -> Tensor:
            return self._picture(index, lambda picture: whole(picture, self.channels, size, self._name(index)))

        return Split(torch.stack([load(index) for index in range(len(self.labels))]), self.labels)

    def _picture(self, index: int, use: Callable[[Any], Tensor]) -> Tensor:
        with reading(self._name(index)):
            picture = self.rows[index][self.image]
            if not hasattr(picture, "getexif"):
                raise ValueError(f"column {self.image} holds {picture!r:.60}, which is no picture")
            return use(picture)

    def _name(self, index: int) -> str:
        return f"{self.what}, image {index}"


def _whole_numbers(values: list[Any], what: str) -> Tensor:
    """(N,) int64.

    Raises:
        InputError: they are something else; `what` names them.
    """
    if odd := [value for value in values if not isinstance(value, int)]:
        raise InputError(f"{what} is to hold whole numbers from 0, and holds {odd[0]!r}")
    return torch.tensor(values, dtype=torch.int64)
