"""Large filters and the smaller ones that stand for them, in the paths of figures (arXiv 1512.00567, section 3)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from ._convolution import Conv, Size, same

if TYPE_CHECKING:
    from ._figures import Path, Step

STACKED: set[tuple[Size, Size]] = {(3, 3)}
ASYMMETRIC: set[tuple[Size, Size]] = {pair for n in (3, 7) for pair in (((1, n), (n, 1)), ((n, 1), (1, n)))}


def joined(path: Path, pairs: Collection[tuple[Size, Size]]) -> Path:
    """The path with one convolution, which sees what the two see, for every two neighbours with such kernels."""
    row: list[Step] = []
    for step in path:
        before = row[-1] if row else None
        if isinstance(before, Conv) and isinstance(step, Conv) and _pair(before, step, pairs):
            row[-1] = replace(step, kernel=_seen_by(before.kernel, step.kernel))
        else:
            row.append(step)
    return row


def square(step: Step) -> Step:
    """One nxn convolution for a figure of 1xn and nx1 side by side; any other step as it is."""
    match step:
        case {"conv1xn": [Conv(kernel=(1, n)) as wide], "convnx1": [Conv(kernel=(m, 1)) as high]} if m == n:
            return Conv(wide.channels + high.channels, n)
        case _:
            return step


def in_series(path: Path) -> Path:
    """The path with 1xn and nx1 in a row, to as many channels, where they stand side by side."""
    row: list[Step] = []
    for step in path:
        match step:
            case {"conv1xn": [Conv() as wide], "convnx1": [Conv() as high]}:
                row += [wide, replace(high, channels=wide.channels + high.channels)]
            case _:
                row.append(step)
    return row


def in_parallel(path: Path) -> Path:
    """The path with 1xn and nx1 side by side, each to half the channels, where they stand in a row."""
    row: list[Step] = []
    for step in path:
        before = row[-1] if row else None
        if isinstance(before, Conv) and isinstance(step, Conv) and _pair(before, step, ASYMMETRIC):
            halves = {step.kernel: step.channels // 2, before.kernel: step.channels - step.channels // 2}
            row[-1] = {_name(kernel): [replace(step, kernel=kernel, channels=c)] for kernel, c in halves.items()}
        else:
            row.append(step)
    return row


def first_linear(path: Path) -> Path:
    """The path without an activation between two convolutions in a row that a larger one would do for."""
    row = list(path)
    place = 0
    while place + 1 < len(row):
        first, second = row[place], row[place + 1]
        if isinstance(first, Conv) and isinstance(second, Conv) and _pair(first, second, STACKED | ASYMMETRIC):
            row[place] = replace(first, linear=True)
            place += 1  # the second of a pair is not the first of another one
        place += 1
    return row


def _pair(first: Conv, second: Conv, pairs: Collection[tuple[Size, Size]]) -> bool:
    return (first.kernel, second.kernel) in pairs and first.stride == 1 and first.padded


def _seen_by(first: Size, second: Size) -> int:
    """The side of the square that two convolutions in a row see, the first of them at stride 1."""
    return 1 + 2 * (same(first)[0] + same(second)[0])


def _name(kernel: Size) -> str:
    return "conv1xn" if same(kernel)[0] == 0 else "convnx1"
