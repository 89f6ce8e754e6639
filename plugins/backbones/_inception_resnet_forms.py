"""What stands in each form of Inception-ResNet, by the figures of Szegedy et al. 2016 (arXiv 1602.07261)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ._convolution import Conv
from ._figures import Figure, Path, Pool, Valid
from ._inception_2016 import STEM, reduction_a


@dataclass(frozen=True)
class Form:
    """One form.

    Attributes:
        stem: down to 35x35.
        stages: the branches of the residual blocks, and the reductions between them, by stage.
        blocks: how many residual blocks A, B and C there are.
        final: what stands before the classifier.
        open_end: whether the last block has neither scaling nor activation.
    """

    stem: Path
    stages: dict[str, Figure]
    blocks: tuple[int, int, int]
    final: Path = ()
    open_end: bool = False


def block_a(second: int, third: int) -> Figure:
    """On 35x35 (Figures 10 and 16), with the channels of the 3x3 convolutions of the last branch."""
    return {
        "conv1x1": [Conv(32, 1)],
        "conv3x3": [Conv(32, 1), Conv(32, 3)],
        "conv5x5": [Conv(32, 1), Conv(second, 3), Conv(third, 3)],
    }


def block_b(single: int, wide: int, high: int) -> Figure:
    """On 17x17 (Figures 11 and 17), with the channels of the 1x1 branch, of 1x7 and of 7x1."""
    return {"conv1x1": [Conv(single, 1)], "conv7x7": [Conv(128, 1), Conv(wide, (1, 7)), Conv(high, (7, 1))]}


def block_c(wide: int, high: int) -> Figure:
    """On 8x8 (Figures 13 and 19), with the channels of 1x3 and of 3x1."""
    return {"conv1x1": [Conv(192, 1)], "conv3x3": [Conv(192, 1), Conv(wide, (1, 3)), Conv(high, (3, 1))]}


def reduction_b(second: int, third: int) -> Figure:
    """From 17x17 to 8x8 (Figures 12 and 18), with the channels of the 3x3 convolutions of the last two branches."""
    return {
        "conv3x3": [Conv(256, 1), Valid(384, 3, stride=2)],
        "conv3x3_narrow": [Conv(256, 1), Valid(second, 3, stride=2)],
        "conv5x5": [Conv(256, 1), Conv(second, 3), Valid(third, 3, stride=2)],
        "pool": [Pool.MAX],
    }


# What Figure 14 shares with Inception v3.
TRUNK: Path = [Valid(32, 3, stride=2), Valid(32, 3), Conv(64, 3), Pool.MAX, Conv(80, 1), Valid(192, 3)]
# The block behind the trunk of the published v2, which no figure shows; its 5x5 is not factorised.
FIRST_BLOCK: Figure = {
    "conv1x1": [Conv(96, 1)],
    "conv5x5": [Conv(48, 1), Conv(64, 5)],
    "conv3x3_twice": [Conv(64, 1), Conv(96, 3), Conv(96, 3)],
    "pool": [Pool.AVERAGE, Conv(64, 1)],
}

V1 = Form(
    stem=[*TRUNK, Valid(256, 3, stride=2)],
    stages={
        "inception_a": block_a(32, 32),
        "reduction_a": reduction_a(192, 192, 256, 384),
        "inception_b": block_b(128, 128, 128),
        "reduction_b": reduction_b(256, 256),
        "inception_c": block_c(192, 192),
    },
    blocks=(5, 10, 5),
)
V2_FIGURES = Form(
    stem=STEM,
    stages={
        "inception_a": block_a(48, 64),
        "reduction_a": reduction_a(256, 256, 384, 384),
        "inception_b": block_b(192, 160, 192),
        "reduction_b": reduction_b(288, 320),
        "inception_c": block_c(224, 256),
    },
    blocks=(5, 10, 5),
)
V2 = replace(
    V2_FIGURES, stem=[*TRUNK, Pool.MAX, FIRST_BLOCK], blocks=(10, 20, 10), final=[Conv(1536, 1)], open_end=True
)

FormName = Literal["v1", "v2", "v2_figures"]
FORMS: dict[FormName, Form] = {"v1": V1, "v2": V2, "v2_figures": V2_FIGURES}
