"""Inception v2: GoogLeNet with batch normalisation and two 3x3 convolutions for the 5x5."""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

from ablate import Backbone, Head, InputError, Parts, Stem, register

from ._convolution import Conv, channels_after
from ._figures import Drawing, Figure, Pool


class Filters(NamedTuple):
    """Output channels of a module's convolutions, and its pooling, as a row of the paper's Figure 5 lists them.

    A module without a 1x1 convolution halves height and width, and hands all its channels through the pooling, which is
    that of the published Caffe models: from the first pixel on, where the convolutions beside it start one outside.
    """

    conv1x1: int
    reduce3x3: int
    conv3x3: int
    reduce5x5: int
    conv5x5: int
    pool: Pool
    project: int


MODULES = {
    "inception3a": Filters(64, 64, 64, 64, 96, Pool.AVERAGE_ZEROS, 32),
    "inception3b": Filters(64, 64, 96, 64, 96, Pool.AVERAGE_ZEROS, 64),
    "inception3c": Filters(0, 128, 160, 64, 96, Pool.MAX_FROM_FIRST, 0),
    "inception4a": Filters(224, 64, 96, 96, 128, Pool.AVERAGE_ZEROS, 128),
    "inception4b": Filters(192, 96, 128, 96, 128, Pool.AVERAGE_ZEROS, 128),
    "inception4c": Filters(160, 128, 160, 128, 160, Pool.AVERAGE_ZEROS, 128),
    "inception4d": Filters(96, 128, 192, 160, 192, Pool.AVERAGE_ZEROS, 128),
    "inception4e": Filters(0, 128, 192, 192, 256, Pool.MAX_FROM_FIRST, 0),
    "inception5a": Filters(352, 192, 320, 160, 224, Pool.AVERAGE_ZEROS, 128),
    "inception5b": Filters(352, 192, 320, 192, 224, Pool.MAX_SAME, 128),
}
# Figure 5 gives these modules 576 output channels, but filters that make 608.
DISPUTED = {"inception4c", "inception4d"}
AGREEING_PROJECTION = 96


def inception(filters: Filters) -> Figure:
    """The module, with a double 3x3 convolution where GoogLeNet has the 5x5."""
    stride = 1 if filters.conv1x1 else 2
    figure: Figure = {
        "conv3x3": [Conv(filters.reduce3x3, 1), Conv(filters.conv3x3, 3, stride)],
        "conv5x5": [Conv(filters.reduce5x5, 1), Conv(filters.conv5x5, 3), Conv(filters.conv5x5, 3, stride)],
    }
    if stride == 2:
        return {**figure, "pool": [filters.pool]}
    return {"conv1x1": [Conv(filters.conv1x1, 1)], **figure, "pool": [filters.pool, Conv(filters.project, 1)]}


@register("backbone", "inception_v2")
class InceptionV2(Backbone):
    """Ten Inception modules for batch normalisation (Ioffe and Szegedy 2015, arXiv 1502.03167, Figure 5).

    Its stages, and so its taps, are inception3a to inception3c, inception4a to inception4e, inception5a, inception5b.

    Args:
        stacked: two 3x3 convolutions in a row; false has one 5x5 for them.
        linear_factors: no activation between those two.
        figure: which of Figure 5's numbers hold where they differ, in inception4c and inception4d: its "filters" (128
            behind the pooling) or its output "sizes" (96, as in Google's code).
    """

    before: ClassVar[dict[str, bool]] = {"linear_factors": False}

    def __init__(
        self,
        parts: Parts,
        *,
        stacked: bool = True,
        linear_factors: bool = False,
        figure: Literal["filters", "sizes"] = "filters",
    ) -> None:
        super().__init__(parts)
        if linear_factors and not stacked:
            raise InputError("backbone.linear_factors=true needs backbone.stacked=true")
        self.stem: Stem = parts.make("stem", parts.scaled(192))
        drawing = Drawing(parts, stacked=stacked, linear_factors=linear_factors)
        channels = self.stem.out_channels
        agreeing = {name: MODULES[name]._replace(project=AGREEING_PROJECTION) for name in DISPUTED}
        for name, filters in (MODULES if figure == "filters" else {**MODULES, **agreeing}).items():
            module = drawing.figure(channels, inception(filters))
            channels = channels_after(module, channels)
            self.add_stage(name, module, channels)
        self.attach_aux(parts)
        self.head: Head = parts.make("head", channels)
