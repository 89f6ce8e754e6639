"""GoogLeNet, the first Inception network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from ablate import Backbone, Head, InputError, Parts, Stem, check_image_size, register, unknown

from ._convolution import Conv, channels_after, halving
from ._figures import Drawing, Figure, Path, Pool

Large = Literal["5x5", "3x3", "two_3x3"]
LEAST_SIZE = 4  # the two poolings between the stages make one pixel of it


class Filters(NamedTuple):
    """Output channels of a module's convolutions, as a row of Table 1 lists them."""

    conv1x1: int
    reduce3x3: int
    conv3x3: int
    reduce5x5: int
    conv5x5: int
    project: int


# Szegedy et al. 2014 (arXiv 1409.4842), Table 1.
MODULES = {
    "inception3a": Filters(64, 96, 128, 16, 32, 32),
    "inception3b": Filters(128, 128, 192, 32, 96, 64),
    "inception4a": Filters(192, 96, 208, 16, 48, 64),
    "inception4b": Filters(160, 112, 224, 24, 64, 64),
    "inception4c": Filters(128, 128, 256, 24, 64, 64),
    "inception4d": Filters(112, 144, 288, 32, 64, 64),
    "inception4e": Filters(256, 160, 320, 32, 128, 128),
    "inception5a": Filters(256, 160, 320, 32, 128, 128),
    "inception5b": Filters(384, 192, 384, 48, 128, 128),
}
AUX_AT = ("inception4a", "inception4d")


def inception(
    filters: Filters, large: Large, *, reductions: bool, projection: bool, projection_first: bool = False
) -> Figure:
    """The module: Figure 2(b) with reductions and projection, Figure 2(a) without either."""
    pool = [Pool.MAX_SAME, *_reduce(filters.project, projection)]
    kernels = {"5x5": [5], "3x3": [3], "two_3x3": [3, 3]}[large]
    return {
        "conv1x1": [Conv(filters.conv1x1, 1)],
        "conv3x3": [*_reduce(filters.reduce3x3, reductions), Conv(filters.conv3x3, 3)],
        "conv5x5": [*_reduce(filters.reduce5x5, reductions), *(Conv(filters.conv5x5, kernel) for kernel in kernels)],
        "pool": pool[::-1] if projection_first else pool,
    }


def _reduce(channels: int, wanted: bool) -> Path:
    return [Conv(channels, 1)] if wanted else []


@register("backbone", "googlenet")
class GoogLeNet(Backbone):
    """Nine Inception modules (Szegedy et al. 2014, arXiv 1409.4842, Table 1 and Figure 3).

    Its stages, and so its taps, are the modules and two poolings: inception3a, inception3b, pool3, inception4a to
    inception4e, pool4, inception5a, inception5b. The paper has auxiliary classifiers at inception4a and inception4d.

    Args:
        branches: those that a module has, of 1x1, 3x3, 5x5 and pool; null for all of them.
        reductions: 1x1 convolutions before those of 3x3 and 5x5.
        projection: a 1x1 convolution behind a module's pooling; without it all its channels go on.
        projection_first: that convolution stands before the pooling (source 001).
        large_in_4d: 5x5 filters of inception4d: 64 (Table 1), or 48 (source 001).
        large: what the "5x5" branch has: one "5x5" convolution (the paper), one "3x3" (torchvision, by a slip that it
            keeps), or two 3x3 in a row, "two_3x3".
        linear_factors: no activation between the two 3x3 of large=two_3x3.
        last_pool: height and width of the last pooling's windows: 3 (the paper) or 2 (torchvision).
        padded_pools: both poolings between the modules are padded by a pixel on each side (source 001); else they begin
            at the first pixel and are rounded up (Caffe's model of the paper, torchvision).
    """

    before: ClassVar[dict[str, Any]] = {
        "linear_factors": False,
        "projection_first": False,
        "large_in_4d": 64,
        "padded_pools": False,
    }

    def __init__(
        self,
        parts: Parts,
        *,
        branches: list[str] | None = None,
        reductions: bool = True,
        projection: bool = True,
        projection_first: bool = False,
        large_in_4d: int = 64,
        large: Large = "5x5",
        linear_factors: bool = False,
        last_pool: int = 3,
        padded_pools: bool = False,
    ) -> None:
        super().__init__(parts)
        check_image_size(parts, LEAST_SIZE, "backbone googlenet")
        if last_pool not in {2, 3}:
            raise InputError(f"backbone.last_pool must be 2 or 3, not {last_pool}")
        if projection_first and not projection:
            raise InputError("backbone.projection_first=true needs backbone.projection=true")
        if padded_pools and last_pool == 2:
            raise InputError("backbone.padded_pools=true needs backbone.last_pool=3")
        if linear_factors and large != "two_3x3":
            raise InputError(f"backbone.linear_factors=true needs backbone.large=two_3x3, not {large}")
        self.stem: Stem = parts.make("stem", parts.scaled(192))
        drawing = Drawing(parts, linear_factors=linear_factors)
        channels = self.stem.out_channels
        modules = MODULES | {"inception4d": MODULES["inception4d"]._replace(conv5x5=large_in_4d)}
        for name, filters in modules.items():
            if name == "inception4a":
                self.add_stage("pool3", halving(3, padded=padded_pools), channels)
            if name == "inception5a":
                self.add_stage("pool4", halving(last_pool, padded=padded_pools), channels)
            figure = inception(
                filters, large, reductions=reductions, projection=projection, projection_first=projection_first
            )
            module = drawing.figure(channels, _chosen(figure, branches))
            channels = channels_after(module, channels)
            self.add_stage(name, module, channels)
        self.attach_aux(parts, default=AUX_AT)
        self.head: Head = parts.make("head", channels)


def _chosen(figure: Figure, branches: Sequence[str] | None) -> Figure:
    """The figure with the branches asked for, in its own order.

    Raises:
        InputError: an unknown branch, one named twice, or none at all.
    """
    if branches is None:
        return figure
    known = {name.removeprefix("conv"): name for name in figure}
    for branch in branches:
        if branch not in known:
            raise unknown("branch in backbone.branches", branch, known)
    if not branches or len(set(branches)) < len(branches):
        raise InputError(f"backbone.branches must name one branch or more, each once, not {list(branches)}")
    return {name: figure[name] for branch, name in known.items() if branch in branches}
