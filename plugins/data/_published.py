"""Data sets as their authors publish them: in files of a folder, downloaded where asked for, or through the hub."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import Any, ClassVar, Literal

from ablate import DataSet, InputError, Split, Splits

from ._download import Remote, fetch
from ._hub import HubSet
from ._options import at_least


class Published(DataSet):
    """A data set with a known home.

    Args:
        batch_size: images in a training step.
        root: folder of data sets.
        source: `archive`, the published files; `hub`, the same data through Hugging Face `datasets` (extra `hf`).
        download: fetch the published files where they are missing.
    """

    title: ClassVar[str]
    home: ClassVar[str]
    """The page of the data set, for people."""
    folder_name: ClassVar[str]
    remotes: ClassVar[tuple[Remote, ...]]
    hub: ClassVar[HubSet]
    unpacked: ClassVar[dict[str, str]] = {}
    """MD5 by name of the files that an archive of `remotes` holds."""
    incidental = ("download", "root")

    def __init_subclass__(cls) -> None:
        """What is published is verified by these hashes: its name says what it holds, and nothing else is hashed."""
        super().__init_subclass__()
        cls.published = {**{remote.name: remote.md5 for remote in getattr(cls, "remotes", ())}, **cls.unpacked}

    @classmethod
    def reads(cls, *, root: Path, source: str, **options: Any) -> list[Path] | str | None:
        """The files of the folder; of the hub, what the library says of those behind its rows."""
        return cls.hub.content() if source == "hub" else cls.files(Path(root) / cls.folder_name)

    @classmethod
    @abc.abstractmethod
    def files(cls, folder: Path) -> list[Path]:
        """The files that the set is read from."""

    def __init__(
        self,
        *,
        batch_size: int = 128,
        root: Path = Path("data"),
        source: Literal["archive", "hub"] = "archive",
        download: bool = False,
    ) -> None:
        at_least(1, batch_size=batch_size)
        self.batch_size = batch_size
        self.folder = Path(root) / self.folder_name
        self.source = source
        self.download = download

    @property
    def downloads(self) -> Path:
        """The folder that the published files belong in."""
        return self.folder

    @abc.abstractmethod
    def missing(self) -> list[str]:
        """Names of the files that are not in the folder."""

    @abc.abstractmethod
    def read(self) -> tuple[Split, Split]:
        """Both splits from files that are there.

        Raises:
            InputError: a file is broken; names it.
        """

    def refuse_part(self) -> None:
        """Refuse what a download or an unpacking that was cut off has left.

        Raises:
            InputError: there is such a thing; says what to remove.
        """
        if empty := [path for path in self.files(self.folder) if path.is_file() and not path.stat().st_size]:
            raise InputError(f"{empty[0]} is empty, as a copy that was cut off leaves it; remove it and get it again")

    def archive_is_whole(self) -> None:
        """Look through an archive that lies there to be unpacked.

        Raises:
            InputError: it is not whole.
        """

    def unpack(self) -> None:
        """Make the folder out of an archive that lies beside it, where there is one."""

    def look(self) -> bool:
        """Whether the files are here; a part of them that nothing would complete is refused."""
        if self.source == "hub":
            return self.hub.content() is not None
        self.refuse_part()
        missing = self.missing()
        if missing and not self.download and any(path.is_file() for path in self.files(self.folder)):
            raise self._lacks(missing)
        if missing:
            self.archive_is_whole()
        return not missing

    def check(self) -> None:
        """Look for the files; download them, or unpack an archive, where that is called for."""
        if self.source == "hub":
            self.hub.check()
            return
        self.refuse_part()
        if self.missing() and self.download:
            for remote in self.remotes:
                fetch(remote, self.downloads)
        if self.missing():
            self.unpack()
        if missing := self.missing():
            raise self._lacks(missing)

    def load(self) -> Splits:
        """The authors' own split."""
        self.check()
        if self.source == "hub":
            return self.hub.load(self.channels, self.size[0])
        return Splits(*self.read())

    @property
    def how_to_get(self) -> str:
        """What to do where the files are not here."""
        names = ", ".join(remote.name for remote in self.remotes)
        return (
            f"put {names} ({self.home}) into {self.downloads}, or set data.root, data.download=true, or data.source=hub"
        )

    def _lacks(self, missing: list[str]) -> InputError:
        return InputError(f"{self.title} is not in {self.folder}: {', '.join(missing)} missing; {self.how_to_get}")
