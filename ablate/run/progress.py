"""One display for the whole study: cells done, running, failed, and the time left; silent when not a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from ablate.interfaces.run import Job, Report


class StudyProgress(Report):
    """Follows an engine.

    Args:
        console: where to draw; nothing is drawn where it is no terminal.
        total: cells of the study.
        done: of those, how many had a result before.
        cost: of all the others.
        has_result: whether a cell has a result by now.
        keep_failure: called with the cell and the reason when one is given up.

    Attributes:
        failures: reason by cell ID.
    """

    def __init__(
        self,
        console: Console,
        total: int,
        done: int,
        cost: float,
        has_result: Callable[[Job], bool],
        keep_failure: Callable[[Job, str], None],
    ) -> None:
        self.failures: dict[str, str] = {}
        self._done, self._cost, self._cost_spent = done, cost, 0.0
        self._running: set[str] = set()
        self._has_result, self._keep_failure = has_result, keep_failure
        self._total = total
        self._began: float | None = None  # when the first process stood, its imports done
        self._bar = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), console=console,
            refresh_per_second=4, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task(self._text(), total=total, completed=done)

    def __enter__(self) -> StudyProgress:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def started(self, job: Job) -> None:
        """Count the cell as running."""
        self._running.add(job.id)
        if self._began is None:
            self._began = time.monotonic()

    def ended(self, job: Job) -> None:
        """Count the cell as done; one that another study has trained meanwhile says nothing of the speed here."""
        self._done += 1
        if job.id in self._running:
            self._running.remove(job.id)
            self._cost_spent += job.cost
        else:
            self._cost -= job.cost

    def failed(self, job: Job, reason: str) -> None:
        """Count the cell as failed and keep the reason."""
        self._running.discard(job.id)
        self._cost -= job.cost
        self.failures[job.id] = reason
        self._keep_failure(job, reason)

    def again(self, job: Job, reason: str) -> None:
        """Say why a cell is started again."""
        self._running.discard(job.id)
        self._bar.console.print(Text(f"{job.id}: {reason}; it will be started again", style="yellow"), soft_wrap=True)

    def note(self, text: str) -> None:
        """Say it above the bar."""
        self._bar.console.print(Text(text, style="yellow"), soft_wrap=True)

    def is_done(self, job: Job) -> bool:
        """Whether the cell has a result by now."""
        return self._has_result(job)

    def tick(self) -> None:
        """Redraw."""
        self._bar.update(self._task, description=self._text(), completed=self._done)

    def _text(self) -> str:
        failed = f" · [red]{len(self.failures)} failed[/]" if self.failures else ""
        return f"{self._done} of {self._total} cells done · {len(self._running)} running{failed} · {self._time_left()}"

    def _time_left(self) -> str:
        if self._began is None or not self._cost_spent:
            return "time left: known after the first cell"
        seconds = (time.monotonic() - self._began) * (self._cost - self._cost_spent) / self._cost_spent
        minutes, seconds = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return f"{hours} h {minutes:02d} min left"
        return f"{minutes} min {seconds:02d} s left" if minutes else f"{seconds} s left"
