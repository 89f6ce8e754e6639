"""Inception v3: large filters factorised, also into 1xn and nx1."""

from __future__ import annotations

from typing import Any, ClassVar

from ablate import Backbone, Head, InputError, Parts, check_image_size, register

from ._convolution import Conv, channels_after
from ._figures import Drawing, Figure, Pairs, Path, Pool, Valid

# Below this the maps vanish: 75 pixels leave 7 behind the stem, then 3, then 1.
LEAST_FULL_SIZE = 75

STEM: Path = [
    Valid(32, 3, stride=2),
    Valid(32, 3),
    Conv(64, 3),
    Pool.MAX,
    Conv(80, 1),
    Valid(192, 3),
    Pool.MAX,
]
# From 35x35 to 17x17 (Figure 10).
REDUCTION_A: Figure = {
    "conv3x3": [Valid(384, 3, stride=2)],
    "conv5x5": [Conv(64, 1), Conv(96, 3), Valid(96, 3, stride=2)],
    "pool": [Pool.MAX],
}
# From 17x17 to 8x8.
REDUCTION_B: Figure = {
    "conv3x3": [Conv(192, 1), Valid(320, 3, stride=2)],
    "conv9x9": [Conv(192, 1), Conv(192, (1, 7)), Conv(192, (7, 1)), Valid(192, 3, stride=2)],
    "pool": [Pool.MAX],
}
# The ends of two branches of Figure 7.
SPLIT: Figure = {"conv1xn": [Conv(384, (1, 3))], "convnx1": [Conv(384, (3, 1))]}
# Figure 7, on 8x8.
INCEPTION_C: Figure = {
    "conv1x1": [Conv(320, 1)],
    "conv3x3": [Conv(384, 1), SPLIT],
    "conv5x5": [Conv(448, 1), Conv(384, 3), SPLIT],
    "pool": [Pool.AVERAGE_ZEROS, Conv(192, 1)],
}


def inception_a(project: int, stacked: bool) -> Figure:
    """The module on 35x35 (Figure 5), with a 5x5 convolution beside the two 3x3 as released."""
    large = [Conv(64, 3), Conv(64, 3)] if stacked else [Conv(64, 5)]
    return {
        "conv1x1": [Conv(64, 1)],
        "conv5x5": [Conv(48, 1), *large],
        "double3x3": [Conv(64, 1), Conv(96, 3), Conv(96, 3)],
        "pool": [Pool.AVERAGE_ZEROS, Conv(project, 1)],
    }


def inception_b(channels: int) -> Figure:
    """The module on 17x17 (Figure 6)."""
    wide, high = Conv(channels, (1, 7)), Conv(channels, (7, 1))
    return {
        "conv1x1": [Conv(192, 1)],
        "conv7x7": [Conv(channels, 1), wide, Conv(192, (7, 1))],
        "conv13x13": [Conv(channels, 1), high, wide, high, Conv(192, (1, 7))],
        "pool": [Pool.AVERAGE_ZEROS, Conv(192, 1)],
    }


@register("backbone", "inception_v3")
class InceptionV3(Backbone):
    """Eleven modules with factorised filters (Szegedy et al. 2015, arXiv 1512.00567, section 6), as released.

    Its stages, and so its taps, have the released names: mixed5b to mixed5d, mixed6a to mixed6e, mixed7a to mixed7c.
    The auxiliary classifier stands at mixed6e.

    Args:
        asymmetric: 1x7 with 7x1 and 1x3 with 3x1 convolutions; false has one 7x7 or 3x3 for each pair.
        stacked: true has two 3x3 convolutions for every 5x5 and false one 5x5 for every two 3x3; null has both, in
            different branches, as released.
        pairs: how 1xn and nx1 convolutions stand to each other: as "drawn", in a row and in the last modules side by
            side; all in "series", to as many channels; or all "parallel", each to half of the channels.
        linear_factors: no activation between two convolutions in a row that one 5x5, 7x7 or 3x3 would do for (section
            3.1 compares both).
        padding_counts: the average pooling counts the zeros around a map (torchvision); else its pixels alone (Keras).
        full_size: least height and width of images that the network shrinks as released, which takes 75; on smaller
            ones, with the same weights, the stem keeps the size and all convolutions are padded.
    """

    before: ClassVar[dict[str, Any]] = {"pairs": "drawn", "linear_factors": False, "padding_counts": True}

    def __init__(
        self,
        parts: Parts,
        *,
        asymmetric: bool = True,
        stacked: bool | None = None,
        pairs: Pairs = "drawn",
        linear_factors: bool = False,
        padding_counts: bool = True,
        full_size: int = LEAST_FULL_SIZE,
    ) -> None:
        super().__init__(parts)
        full = min(parts.size) >= full_size
        if full:
            check_image_size(parts, LEAST_FULL_SIZE, f"backbone inception_v3 with full_size={full_size}")
        stem = Drawing(parts) if full else Drawing(parts).keeping_size()
        if pairs != "drawn" and not asymmetric:
            raise InputError(f"backbone.pairs={pairs} needs backbone.asymmetric=true")
        stages = Drawing(
            parts, asymmetric, stacked is not False, padded=not full, linear_factors=linear_factors, pairs=pairs
        )
        self.stem = stem.path(parts.channels, STEM)
        channels = channels_after(self.stem, parts.channels)
        for name, figure in _figures(stacked is True).items():
            module = stages.figure(channels, figure if padding_counts else _pixels_alone(figure))
            channels = channels_after(module, channels)
            self.add_stage(name, module, channels)
        self.attach_aux(parts, default=["mixed6e"], listed="after_tap")
        self.head: Head = parts.make("head", channels)


def _figures(stacked: bool) -> dict[str, Figure]:
    return {
        "mixed5b": inception_a(32, stacked),
        "mixed5c": inception_a(64, stacked),
        "mixed5d": inception_a(64, stacked),
        "mixed6a": REDUCTION_A,
        "mixed6b": inception_b(128),
        "mixed6c": inception_b(160),
        "mixed6d": inception_b(160),
        "mixed6e": inception_b(192),
        "mixed7a": REDUCTION_B,
        "mixed7b": INCEPTION_C,
        "mixed7c": INCEPTION_C,
    }


def _pixels_alone(figure: Figure) -> Figure:
    """The figure with means of the pixels of a map alone."""
    return {
        name: [Pool.AVERAGE if step is Pool.AVERAGE_ZEROS else step for step in path] for name, path in figure.items()
    }
