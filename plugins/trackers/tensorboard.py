"""A study in TensorBoard: one run a cell, and one of the study."""

from __future__ import annotations

import hashlib
import math
import re
import shlex
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from ablate import FollowedCell, FollowedStudy, InputError, Tracker, register

from ._event_files import NAME, Run, Steps, image, scalars, single, text
from ._stored import (
    Row,
    code_of,
    ends,
    finals,
    finished,
    flat,
    frozen,
    history,
    is_finished,
    markdown,
    plain,
    shown,
    told,
)

CONFIG = "config"
ABOUT = {"_hparams_/session_start_info", CONFIG}
SUCCESS, FAILURE = 1, 2  # of the session of a cell, tensorboard/plugins/hparams/api.proto, Status


@register("tracker", "tensorboard")
class TensorBoard(Tracker):
    """Mirrors the study to TensorBoard's event files (extra `tensorboard`): a run a cell, and one of the study.

    A cell is the run `ARM/ID`, with a row an epoch at the time when it ended, its hyperparameters (arm, factors, seed,
    the chosen parts and how they are trained) and its whole config as a text. The study is the run `.`, with its
    verdicts as a text and its figures as images. `tensorboard --logdir runs/NAME/tensorboard` shows them.

    Args:
        folder: where they lie, as `folder/NAME`; null: in the study's own folder.
    """

    def __init__(self, *, folder: str | None = None) -> None:
        if find_spec("tensorboard") is None:
            raise InputError("tracker=tensorboard needs `tensorboard`: pip install 'tensorboard>=2.20'")
        self.folder = folder or None
        self.where = "" if not folder else str(Path(folder).expanduser().absolute())
        self._runs: dict[str, Run] = {}
        self._has_said = False

    def missing(self, study: FollowedStudy) -> Collection[str]:
        self.place = place_of(study, self.folder)
        lost = [cell.id for cell in study.cells if not list(self.place.glob(f"{label(cell.arm)}/{cell.id}*/*"))]
        return lost if (self.place / NAME.format(0)).exists() else [self.STUDY, *lost]

    def begin(self, study: FollowedStudy, *, anew: bool) -> None:
        if anew and not self._has_said:
            self._has_said = True
            self.say(f"shows it with: tensorboard --logdir {shlex.quote(shown(self.place))}")
        self._tell(study, "study", "\n\n".join(map(markdown, (study.name, str(study.record.get("question") or "")))))

    def started(self, study: FollowedStudy, cell: FollowedCell) -> None:
        if is_finished(cell) or not code_of(cell):
            return  # it is only measured, or its folder is not there any more
        run, _ = self._bring(cell)
        run.end([])  # it is open once more

    def rows(self, study: FollowedStudy, cell: FollowedCell, rows: Sequence[Mapping[str, float]]) -> None:
        self._bring(cell)

    def ended(self, study: FollowedStudy, cell: FollowedCell, result: Mapping[str, Any]) -> None:
        at = finished(cell) or time.time()
        run, rows = self._bring(cell, has_ended=True)
        last = run.steps.get(len(rows), {})
        metrics = finals(rows, result.get("metrics") or {}).items()
        missing = [(plain(tag), value) for tag, value in metrics if last.get(plain(tag)) != single(value)]
        run.append([scalars(len(rows), at, missing)] if missing else [])
        run.end(_ending(at, SUCCESS, str(result.get("status", "")), str(result.get("reason") or "")))
        run.settle()

    def failed(self, study: FollowedStudy, cell: FollowedCell, reason: str) -> None:
        if is_finished(cell) or not code_of(cell):
            return
        run, _ = self._bring(cell)
        run.end(_ending(time.time(), FAILURE, "failed", reason))

    def judged(self, study: FollowedStudy, verdicts: Sequence[Mapping[str, Any]]) -> None:
        self._tell(study, "verdicts", told(study, verdicts))

    def _tell(self, study: FollowedStudy, tag: str, content: str) -> None:
        """A text of the study, unless it is the one that was told last; with its verdicts, its figures."""
        run = Run(self.place)
        before = run.texts(tag)
        if before[-1:] == [content.encode()] or not content:
            return
        step, now = len(before), time.time()
        pictures = _pictures(study.folder / "figures") if tag == "verdicts" else ()
        run.append([text(step, now, tag, content), *(image(step, now, *picture) for picture in pictures)])
        run.settle()

    def _bring(self, cell: FollowedCell, *, has_ended: bool = False) -> tuple[Run, list[Row]]:
        """Bring the run of a cell to what its history holds; the run, and the rows."""
        run, rows = self._run(cell), history(cell)
        times = ends(cell, rows)
        start = times[0] - rows[0].get("seconds", 0.0) if times else time.time()
        new = [scalars(step, at, _tags(row)) for step, (row, at) in enumerate(zip(rows, times, strict=True), 1)]
        there = {step: values for step, values in run.steps.items() if step}
        if _differ(there, rows, has_ended=has_ended):  # an epoch was trained again by a process that went on
            run.replace([*_about(cell, start), *new])
        else:
            lacking = [] if run.tags.issuperset(ABOUT) else _about(cell, start)
            run.append([*lacking, *(event for event in new if event.step not in there)])
        return run, rows

    def _run(self, cell: FollowedCell) -> Run:
        """The run of a cell: the first of its name, unless that is of other code."""
        code, name = code_of(cell), f"{label(cell.arm)}/{cell.id}"
        if cell.id not in self._runs or self._runs[cell.id].code != code:
            number, run = 1, Run(self.place / name, code)
            while run.events and run.trained_by != code:
                number += 1
                run = Run(self.place / f"{name}-{number}", code)
            self._runs[cell.id] = run
        return self._runs[cell.id]


def place_of(study: FollowedStudy, folder: str | None) -> Path:
    """Where the event files of a study lie.

    Raises:
        InputError: among the files of the store.
    """
    own = study.folder / "tensorboard"
    if folder is None:
        return own
    place = Path(folder).expanduser().absolute() / study.folder.name
    if place == study.folder:
        return own
    if study.folder in place.parents:
        raise InputError(
            f"tracker.tensorboard.folder={folder}: lies in the study's own folder, which it has by default"
        )
    return place


def label(arm: str) -> str:
    """The name of an arm as that of a folder; two that differ stay different."""
    name = re.sub(r"[^A-Za-z0-9_=+-][^A-Za-z0-9._=+-]*", "_", arm)[:48]
    return name if name == arm else f"{name}-{hashlib.sha256(plain(arm).encode()).hexdigest()[:8]}"


def _about(cell: FollowedCell, start: float) -> list[Any]:
    """A cell's hyperparameters, and its config as a text."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    config = frozen(cell)
    values = {plain(name): _value(value) for name, value in chosen(cell, config).items() if value is not None}
    listing = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    indented = "".join(f"    {line}\n" for line in listing.splitlines())  # a block of code, where nothing is markup
    hparams = Event(wall_time=start, summary=hparams_pb(values, trial_id=cell.id, start_time_secs=start))
    return [hparams, text(0, start, CONFIG, indented)]


def chosen(cell: FollowedCell, config: Mapping[str, Any]) -> dict[str, Any]:
    """What tells a cell from others in a table: too many columns would hide it.

    Arm, factors and seed, the values at the top of the config (`depth`, `width`), the part chosen of each group, and of
    the training what is tuned most.
    """
    parts = {key: node["name"] for key, node in config.items() if isinstance(node, Mapping) and "name" in node}
    top = {key: value for key, value in config.items() if not isinstance(value, Mapping | list)}
    leaves = dict(flat(config))
    tuned = {key: leaves.get(key) for key in ("optim.lr", "trainer.epochs", "data.batch_size")}
    return {**parts, **top, **tuned, **cell.factors, "arm": cell.arm, "seed": cell.seed}


def _value(value: Any) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float) else plain(value if isinstance(value, str) else str(value))


def _tags(row: Row) -> list[tuple[str, float]]:
    return [(plain(key), value) for key, value in row.items() if key != "epoch"]


def _differ(there: Steps, rows: Sequence[Row], *, has_ended: bool) -> bool:
    """Whether an epoch was told with other figures than the history has by now."""
    if has_ended and len(there) > len(rows):
        return True
    both = ((there[step], row) for step, row in enumerate(rows, 1) if step in there)
    return any(not _same(values.get(tag), value) for values, row in both for tag, value in _tags(row))


def _same(told: float | None, value: float) -> bool:
    return told is not None and (told == single(value) or (math.isnan(told) and math.isnan(value)))


def _ending(at: float, status: int, word: str, reason: str) -> list[Any]:
    """How a cell ended: for the table of hyperparameters, and as a text."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=at)
    about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=info))
    value = Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR)
    words = markdown(f"{word}: {reason}" if reason else word)
    return [Event(wall_time=at, summary=Summary(value=[value])), text(0, at, "ended", words)]


def _pictures(folder: Path) -> Iterator[tuple[str, bytes]]:
    import vl_convert

    for path in sorted(folder.glob("*.svg")):
        yield f"figures/{path.stem}", vl_convert.svg_to_png(path.read_text(encoding="utf-8"), scale=1.5)
