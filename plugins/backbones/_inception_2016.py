"""What Inception-v4 and the Inception-ResNets have in common (Szegedy et al. 2016, arXiv 1602.07261)."""

from __future__ import annotations

from ablate import InputError, Parts, check_image_size

from ._convolution import Conv
from ._figures import Drawing, Figure, Path, Pool, Valid

BLOCKS = ("inception_a", "inception_b", "inception_c")
# Where the published code has an auxiliary classifier.
AUX_AT = ["inception_b"]
# Of 75 pixels the figures leave 7 behind the stem, then 3, then 1.
LEAST_FULL_SIZE = 75
LEAST_SIZE = 4

# Figure 3.
STEM: Path = [
    Valid(32, 3, stride=2),
    Valid(32, 3),
    Conv(64, 3),
    {"pool": [Pool.MAX], "conv3x3": [Valid(96, 3, stride=2)]},
    {
        "conv3x3": [Conv(64, 1), Valid(96, 3)],
        "conv7x7": [Conv(64, 1), Conv(64, (1, 7)), Conv(64, (7, 1)), Valid(96, 3)],
    },
    {"conv3x3": [Valid(192, 3, stride=2)], "pool": [Pool.MAX]},
]


def reduction_a(k: int, l: int, m: int, n: int) -> Figure:  # noqa: E741 - the letters of Table 1
    """From 35x35 to 17x17 (Figure 7, with the channels of Table 1)."""
    return {
        "conv3x3": [Valid(n, 3, stride=2)],
        "conv5x5": [Conv(k, 1), Conv(l, 3), Valid(m, 3, stride=2)],
        "pool": [Pool.MAX],
    }


def drawings(parts: Parts, full_size: int, asymmetric: bool, stacked: bool) -> tuple[Drawing, Drawing]:
    """How the stem and how the stages are drawn for the images of `parts`.

    Raises:
        InputError: the images are too small.
    """
    full = min(parts.size) >= full_size
    what = f"backbone {parts.config['backbone']['name']} with full_size={full_size}"
    check_image_size(parts, LEAST_FULL_SIZE if full else LEAST_SIZE, what)
    stages = Drawing(parts, asymmetric, stacked, padded=not full)
    return stages if full else stages.keeping_size(), stages


def block_counts(blocks: list[int] | None, default: tuple[int, int, int]) -> dict[str, int]:
    """How many blocks stand in a row, by the stage that they make.

    Raises:
        InputError: there are not three numbers from 1 on.
    """
    counts = default if blocks is None else tuple(blocks)
    if len(counts) != len(BLOCKS) or min(counts) < 1:
        raise InputError(f"backbone.blocks must be three numbers from 1 on, for A, B and C, not {list(counts)}")
    return dict(zip(BLOCKS, counts, strict=True))
