"""Trackers: mirrors of the store in somebody else's dashboard, kept from the study's process."""

from __future__ import annotations

import abc
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

DECIDES_NUMBERS = False


@dataclass(frozen=True)
class FollowedStudy:
    """A study as a tracker sees it.

    Attributes:
        name: of the study.
        folder: `runs/NAME`: all that is known of the study lies there.
        record: what `study.yaml` holds: `question`, `claims`, `arms`, `scale`, `command`, ...
        cells: that it has by now.
        asked: the IDs of those that this command is about. Single runs share a study, and each is about its own.
    """

    name: str
    folder: Path
    record: Mapping[str, Any] = field(repr=False)
    cells: Sequence[FollowedCell] = field(repr=False)
    asked: Sequence[str] = field(default=(), repr=False)


@dataclass(frozen=True)
class FollowedCell:
    """A cell as a tracker sees it.

    Attributes:
        id: of the cell, unique among all studies and the same in each.
        arm: of the study.
        factors: its point in the grid.
        seed: of all that is drawn.
        folder: where its files lie: `cell.yaml` (the frozen config), `history.csv`, `result.json`, `probes/`, ...
        attempt: how often it was begun anew, as by other code: 0 the first time.
    """

    id: str
    arm: str
    factors: Mapping[str, Any]
    seed: int
    folder: Path
    attempt: int = 0


class Tracker(abc.ABC):
    """Follows a study. Built as `Tracker(*, options)`, once a run of the study; building it reaches out to nothing.

    All methods are called from one thread that is the tracker's own, so one that waits for a server delays no cell.
    What was told is written down in the study's folder, and is told once, whatever becomes of the process in between;
    only what was being told when the process was killed is told again. An exception is said in one line, and ends the
    tracker for this run; the next run of the study tells it what is missing.

    Attributes:
        STUDY: among IDs of cells, the study as a whole.
        where: what tells the place that it mirrors to from others that it could mirror to, such as a server and a
            project there: a study is told once to each. Empty for the one that is there by default.
        say: shows the user a line; for what is no error, such as where the mirror is.
    """

    STUDY: ClassVar[str] = ""
    where: str = ""
    say: Callable[[str], None] = staticmethod(lambda text: None)

    def missing(self, study: FollowedStudy) -> Collection[str]:
        """What was told before and is not where it belongs by now, to be told anew; called before `begin`, in each run.

        So does one that only hands over what it is told, and learns later whether it has arrived.

        Args:
            study: as it was planned.

        Returns:
            IDs of cells; and `STUDY` for the plan and the verdicts.
        """
        return ()

    @abc.abstractmethod
    def begin(self, study: FollowedStudy, *, anew: bool) -> None:
        """A run of the study begins; called before anything else, in each run that has something to tell.

        Args:
            study: as it was planned.
            anew: this plan was not told before.
        """

    def started(self, study: FollowedStudy, cell: FollowedCell) -> None:  # noqa: B027 - a tracker tells what it likes
        """A cell is being trained."""

    def rows(self, study: FollowedStudy, cell: FollowedCell, rows: Sequence[Mapping[str, float]]) -> None:  # noqa: B027
        """These rows of the cell's history are new, in their order: `epoch`, `lr`, metrics, `seconds`."""

    def ended(self, study: FollowedStudy, cell: FollowedCell, result: Mapping[str, Any]) -> None:  # noqa: B027
        """The cell has a result, or its result has changed since (a measurement was added).

        Args:
            study: of the cell.
            cell: that ended; all its rows were told.
            result: `status` (`done` or `diverged`), `reason`, `metrics`, `finished`, and what it was made with.
        """

    def failed(self, study: FollowedStudy, cell: FollowedCell, reason: str) -> None:  # noqa: B027
        """The cell has no result and will not be tried again in this run."""

    def again(self, study: FollowedStudy, cell: FollowedCell, reason: str) -> None:  # noqa: B027
        """The cell's process ended without a result, and it will be started again, from its last checkpoint."""

    def judged(self, study: FollowedStudy, verdicts: Sequence[Mapping[str, Any]]) -> None:  # noqa: B027
        """The study was judged, and its report written; told where the verdicts are not those of the last time."""

    def close(self) -> None:  # noqa: B027
        """This run of the study is over, however it ended: finish what is open. The last call."""
