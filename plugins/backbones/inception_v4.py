"""Inception-v4."""

from __future__ import annotations

from ablate import Backbone, Parts, register

from ._convolution import Conv, channels_after
from ._figures import Figure, Pool, Valid
from ._inception_2016 import AUX_AT, STEM, block_counts, drawings, reduction_a

# Figure 4, on 35x35.
INCEPTION_A: Figure = {
    "conv1x1": [Conv(96, 1)],
    "conv3x3": [Conv(64, 1), Conv(96, 3)],
    "conv5x5": [Conv(64, 1), Conv(96, 3), Conv(96, 3)],
    "pool": [Pool.AVERAGE, Conv(96, 1)],
}
# Figure 5, on 17x17.
INCEPTION_B: Figure = {
    "conv1x1": [Conv(384, 1)],
    "conv7x7": [Conv(192, 1), Conv(224, (1, 7)), Conv(256, (7, 1))],
    "conv13x13": [Conv(192, 1), Conv(192, (7, 1)), Conv(224, (1, 7)), Conv(224, (7, 1)), Conv(256, (1, 7))],
    "pool": [Pool.AVERAGE, Conv(128, 1)],
}
# Figure 8, from 17x17 to 8x8.
REDUCTION_B: Figure = {
    "conv3x3": [Conv(192, 1), Valid(192, 3, stride=2)],
    "conv9x9": [Conv(256, 1), Conv(256, (1, 7)), Conv(320, (7, 1)), Valid(320, 3, stride=2)],
    "pool": [Pool.MAX],
}
# The ends of two branches of Figure 6.
SPLIT: Figure = {"conv1xn": [Conv(256, (1, 3))], "convnx1": [Conv(256, (3, 1))]}
# Figure 6, on 8x8.
INCEPTION_C: Figure = {
    "conv1x1": [Conv(256, 1)],
    "conv3x3": [Conv(384, 1), SPLIT],
    "conv5x5": [Conv(384, 1), Conv(448, (3, 1)), Conv(512, (1, 3)), SPLIT],
    "pool": [Pool.AVERAGE, Conv(256, 1)],
}
STAGES: dict[str, Figure] = {
    "inception_a": INCEPTION_A,
    "reduction_a": reduction_a(192, 224, 256, 384),
    "inception_b": INCEPTION_B,
    "reduction_b": REDUCTION_B,
    "inception_c": INCEPTION_C,
}


@register("backbone", "inception_v4")
class InceptionV4(Backbone):
    """Inception of uniform blocks, without shortcuts (Szegedy et al. 2016, arXiv 1602.07261, Figure 9).

    Its stages, and so its taps: inception_a, reduction_a, inception_b, reduction_b, inception_c.

    Args:
        blocks: how many Inception blocks A, B and C stand in a row; null: 4, 7 and 3.
        asymmetric: 1x7 with 7x1 and 1x3 with 3x1 convolutions; false has one 7x7 or 3x3 for each pair.
        stacked: two 3x3 convolutions in a row; false has one 5x5 for them.
        full_size: least height and width of images that the network shrinks as in the figures, 75 or more; on smaller
            ones the stem keeps the size and all convolutions are padded, with the same weights.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        blocks: list[int] | None = None,
        asymmetric: bool = True,
        stacked: bool = True,
        full_size: int = 75,
    ) -> None:
        super().__init__(parts)
        counts = block_counts(blocks, (4, 7, 3))
        stem, stages = drawings(parts, full_size, asymmetric, stacked)
        self.stem = stem.path(parts.channels, STEM)
        channels = channels_after(self.stem, parts.channels)
        for name, figure in STAGES.items():
            stage = stages.path(channels, [figure] * counts.get(name, 1))
            channels = channels_after(stage, channels)
            self.add_stage(name, stage, channels)
        self.attach_aux(parts, AUX_AT)
        self.head = parts.make("head", channels)
