"""Several listeners as one."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.interfaces.engine import Job, Listener


class Several(Listener):
    """Tells each of several listeners, in their order.

    Args:
        listeners: the last of them also says notes.
    """

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self.listeners = list(listeners)

    def started(self, job: Job) -> None:
        """Tell it to all."""
        for one in self.listeners:
            one.started(job)

    def ended(self, job: Job) -> None:
        """Tell it to all."""
        for one in self.listeners:
            one.ended(job)

    def failed(self, job: Job, reason: str) -> None:
        """Tell it to all."""
        for one in self.listeners:
            one.failed(job, reason)

    def again(self, job: Job, reason: str) -> None:
        """Tell it to all."""
        for one in self.listeners:
            one.again(job, reason)

    def note(self, text: str) -> None:
        """Say it once."""
        self.listeners[-1].note(text)

    def tick(self) -> None:
        """Tell it to all."""
        for one in self.listeners:
            one.tick()
