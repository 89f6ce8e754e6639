"""The terminal: text of others does nothing there."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from ablate.system.text import ACTS, printable

DECIDES_NUMBERS = False


class SafeConsole(Console):
    """A console that writes out what a terminal would act on, except what it puts there itself: colours, the bar."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """All that is printed passes here."""
        for segment in super().render(renderable, options):
            if segment.control or not ACTS.search(segment.text):
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)
