"""What a power cut leaves of a folder: recorded while a study runs, and put back for another to go on with."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

Listing = dict[str, tuple[int, bool]]  # name in a folder -> its inode, and whether it is a folder


@dataclass
class Cut:
    """One moment at which the power may go.

    Attributes:
        contents: inode -> what was synced of the file.
        synced: folder -> the names in it that were synced.
        live: the same as the running system sees it.
    """

    contents: dict[int, bytes]
    synced: dict[Path, Listing]
    live: dict[Path, Listing]

    def put_back(self, root: Path, place: Path, *, ahead: bool) -> str:
        """Write what is left of `root` to `place`; returns a digest of it.

        Args:
            root: that was recorded.
            place: gets what is left; emptied before.
            ahead: the file system has written the names of files down earlier than what is in them, as ext4 may: a file
                whose content was not synced is empty. Else only what was synced is there, names and contents.
        """
        shutil.rmtree(place, ignore_errors=True)
        digest = hashlib.sha256()
        self._put_back(root, place, self.live if ahead else self.synced, digest)
        return digest.hexdigest()

    def _put_back(self, folder: Path, place: Path, names: dict[Path, Listing], digest: hashlib._Hash) -> None:
        place.mkdir()
        for name, (inode, is_folder) in sorted(names.get(folder, {}).items()):
            digest.update(repr((str(folder), name, is_folder)).encode())
            if is_folder:
                self._put_back(folder / name, place / name, names, digest)
            else:
                content = self.contents.get(inode, b"")
                (place / name).write_bytes(content)
                digest.update(content)


@dataclass
class Recorder:
    """Notes what is synced below a folder.

    Attributes:
        root: the folder.
        kept: another of the same file system: links there keep the number of an inode from being given out again.
        cuts: a moment after each sync.
    """

    root: Path
    kept: Path
    contents: dict[int, bytes] = field(default_factory=dict)
    synced: dict[Path, Listing] = field(default_factory=dict)
    cuts: list[Cut] = field(default_factory=list)

    def note(self, descriptor: int) -> None:
        """A file or folder has been synced."""
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if not path.is_relative_to(self.root):
            return
        if path.is_dir():
            self.synced[path] = listing(path)
        else:
            inode = os.fstat(descriptor).st_ino
            self.contents[inode] = path.read_bytes()
            link = self.kept / str(inode)
            if not link.exists():
                os.link(path, link)
        live = {Path(place): listing(Path(place)) for place, _, _ in os.walk(self.root)}
        self.cuts.append(Cut(dict(self.contents), dict(self.synced), live))

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Note every sync that this process makes."""
        sync = os.fsync

        def noted(descriptor: int) -> None:
            sync(descriptor)
            self.note(descriptor)

        os.fsync = noted
        try:
            yield
        finally:
            os.fsync = sync


def listing(folder: Path) -> Listing:
    with os.scandir(folder) as entries:
        return {one.name: (one.inode(), one.is_dir(follow_symlinks=False)) for one in entries}
