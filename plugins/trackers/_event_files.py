"""TensorBoard's event files: read back before anything is appended, and whole records only.

A file is a sequence of records: length (8 bytes), its checksum (4), an `Event` message, its checksum (4); little-endian
(tensorboard/summary/writer/record_writer.py). A reader goes no further than the first record that is not whole, so what
comes behind such a one is written into a file of its own, which readers take next.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ablate import atomic, make_folder

HEAD = struct.Struct("<QI")
FOOT = struct.Struct("<I")
NAME = "events.out.tfevents.{:010d}.ablate"  # readers take the files of a folder in the order of their names
LAST = NAME.format(9_999_999_999)  # what is replaced, and so is in a file of its own
Steps = dict[int, dict[str, float]]


class Run:
    """The events of a folder, which TensorBoard shows as one run.

    Args:
        folder: of the run; made with the first event.
        code: that trained what it is about, kept in the head of each file.
    """

    def __init__(self, folder: Path, code: str = "") -> None:
        self.folder, self.code = folder, code
        self._seen: list[tuple[str, int]] = []  # files and sizes, as they were read last
        self._events: list[Any] = []
        self._path = folder / NAME.format(0)  # to be appended to

    @property
    def events(self) -> list[Any]:
        """All whole events, read again where another process has written some."""
        if self._seen != self._sizes():
            self._read()
        return self._events

    @property
    def steps(self) -> Steps:
        """The scalars by step and tag, of those of one tag and step the last."""
        found: Steps = {}
        for event in self.events:
            for value in event.summary.value:
                if value.WhichOneof("value") == "simple_value":
                    found.setdefault(event.step, {})[value.tag] = value.simple_value
        return found

    @property
    def tags(self) -> set[str]:
        """All that there is."""
        return {value.tag for event in self.events for value in event.summary.value}

    @property
    def trained_by(self) -> str:
        """The code that its first file names."""
        return next((e.source_metadata.writer.partition(" ")[2] for e in self.events if e.file_version), "")

    def texts(self, tag: str) -> list[bytes]:
        """The texts of a tag, in their order."""
        values = (value for event in self.events for value in event.summary.value)
        return [value.tensor.string_val[0] for value in values if value.tag == tag]

    def append(self, events: Sequence[Any]) -> None:
        """Write further events.

        Raises:
            OSError: the disk does not take them; what was written of them is left out by readers, and by this one.
        """
        if not events:
            return
        _ = self.events  # finds where to go on
        make_folder(self.folder)
        head = [] if self._path.exists() and self._path.stat().st_size else [self._head(events[0].wall_time)]
        data = b"".join(map(_record, [*head, *events]))
        try:
            with self._path.open("ab") as file:
                file.write(data)
        except OSError:
            self._seen = []
            raise
        self._events += [*head, *events]
        self._seen = self._sizes()

    def replace(self, events: Sequence[Any]) -> None:
        """Write all events anew, in one file that takes the place of the others."""
        others = [path for path in self._files() if path.name != NAME.format(0)]
        self._write(self.folder / NAME.format(0), events)
        for path in others:
            path.unlink(missing_ok=True)
        self._seen = []

    def end(self, events: Sequence[Any]) -> None:
        """Write what comes last, which may change later, in place of what was there; nothing removes it."""
        path = self.folder / LAST
        if events:
            self._write(path, events)
        else:
            path.unlink(missing_ok=True)

    def settle(self) -> None:
        """Wait until all of it is on the disk."""
        for path in self._files():
            with path.open("rb") as file:
                os.fsync(file.fileno())

    def _write(self, path: Path, events: Sequence[Any]) -> None:
        make_folder(self.folder)
        with atomic(path) as temporary:
            temporary.write_bytes(b"".join(map(_record, [self._head(events[0].wall_time), *events])))

    def _head(self, time: float) -> Any:
        from tensorboard.compat.proto.event_pb2 import Event, SourceMetadata

        writer = SourceMetadata(writer=f"ablate {self.code}")
        return Event(wall_time=time, file_version="brain.Event:2", source_metadata=writer)

    def _files(self) -> list[Path]:
        found = self.folder.glob("events.out.tfevents.*.ablate")
        return sorted(path for path in found if path.name != LAST)

    def _sizes(self) -> list[tuple[str, int]]:
        return [(path.name, path.stat().st_size) for path in self._files()]

    def _read(self) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._events, self._seen, number = [], self._sizes(), 0
        for number, path in enumerate(self._files()):
            data = io.BytesIO(path.read_bytes())
            self._events += [Event.FromString(record) for record in records(data)]
            is_whole = data.tell() == len(data.getbuffer())
            self._path = path if is_whole else self.folder / NAME.format(number + 1)
        if not self._seen:
            self._path = self.folder / NAME.format(0)


def records(file: io.BytesIO) -> Iterator[bytes]:
    """The whole records of a file from where it stands; leaves it behind the last of them."""
    from tensorboard.summary.writer.record_writer import masked_crc32c

    while True:
        start = file.tell()
        head = file.read(HEAD.size)
        if len(head) == HEAD.size:
            length, checksum = HEAD.unpack(head)
            if checksum == masked_crc32c(head[:8]):
                data, foot = file.read(length), file.read(FOOT.size)
                if len(data) == length and foot == FOOT.pack(masked_crc32c(data)):
                    yield data
                    continue
        file.seek(start)
        return


def _record(event: Any) -> bytes:
    from tensorboard.summary.writer.record_writer import RecordWriter

    file = io.BytesIO()
    RecordWriter(file).write(event.SerializeToString())
    return file.getvalue()


def scalars(step: int, time: float, values: Iterable[tuple[str, float]]) -> Any:
    """An event with several scalars: there as a whole, or not at all."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    found = [Summary.Value(tag=tag, simple_value=single(value)) for tag, value in values]
    return Event(step=step, wall_time=time, summary=Summary(value=found))


def single(value: float) -> float:
    """A number as an event file holds it, in 32 bits."""
    if abs(value) > 3.4028235e38:  # NaN is not
        return float("inf") if value > 0 else float("-inf")
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def text(step: int, time: float, tag: str, content: str) -> Any:
    """An event with a text in Markdown."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.text.summary_v2 import text_pb

    return Event(step=step, wall_time=time, summary=text_pb(tag, content))


def image(step: int, time: float, tag: str, png: bytes) -> Any:
    """An event with a picture."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    width, height = struct.unpack(">II", png[16:24])  # of the first chunk of a PNG file, IHDR
    picture = Summary.Image(width=width, height=height, colorspace=4, encoded_image_string=png)
    return Event(step=step, wall_time=time, summary=Summary(value=[Summary.Value(tag=tag, image=picture)]))
