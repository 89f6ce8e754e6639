"""The parts of a report, free of any format: the page and the Markdown file each write them in their own way."""

from __future__ import annotations

from dataclasses import dataclass, field

from ablate.report.figures import Figure


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list of short sentences."""

    lines: list[str]


@dataclass(frozen=True)
class Code:
    """Lines to be typed or read as they stand."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table of text; the first `names` columns are words, the others numbers."""

    header: list[str]
    rows: list[list[str]]
    names: int = 1


Block = Paragraph | Items | Code | Table | Figure


@dataclass(frozen=True)
class Section:
    """A part of the report with its heading; a `folded` one is secondary, and the page shows it on demand."""

    title: str
    blocks: list[Block] = field(default_factory=list)
    folded: bool = False

    @property
    def figures(self) -> list[Figure]:
        """The charts of this part."""
        return [block for block in self.blocks if isinstance(block, Figure)]
