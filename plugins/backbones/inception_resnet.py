"""Inception-ResNet v1 and v2."""

from __future__ import annotations

import math

from torch import Tensor, nn

from ablate import Backbone, InputError, Parts, Shortcut, UnitShape, mark_branch_end, register

from ._convolution import channels_after
from ._figures import Drawing, Figure
from ._inception_2016 import AUX_AT, BLOCKS, block_counts, drawings
from ._inception_resnet_forms import FORMS, FormName

# The published code's, for blocks A, B and C; section 3.3 has some between 0.1 and 0.3.
SCALES = (0.17, 0.10, 0.20)


class ResidualBlock(nn.Module):
    """x -> act(x + scale * F(x)), F being branches and a linear 1x1 convolution without norm (Figures 10 and 20).

    Args:
        parts: of the network; their shortcut joins x and F(x).
        channels: of x.
        branches: (N, channels, H, W) -> (N, C, H, W).
        scale: factor on F(x).
        open_end: there is no activation behind the addition.
    """

    def __init__(self, parts: Parts, channels: int, branches: nn.Module, scale: float, open_end: bool) -> None:
        super().__init__()
        self.branches = branches
        self.conv = nn.Conv2d(channels_after(branches, channels), channels, 1)
        mark_branch_end([self.conv])
        self.shortcut: Shortcut = parts.make("shortcut", UnitShape(channels, channels))
        self.act = nn.Identity() if open_end else parts.act()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.shortcut(x, self.conv(self.branches(x)) * self.scale))


@register("backbone", "inception_resnet")
class InceptionResNet(Backbone):
    """Inception with residual connections (Szegedy et al. 2016, arXiv 1602.07261, Figure 15).

    Its stages, and so its taps: inception_a, reduction_a, inception_b, reduction_b, inception_c. With shortcut=identity
    its blocks have residual connections; with shortcut=none the same layers stand in a row without them.

    Args:
        form: "v1" (Figures 7 and 10 to 14), "v2" (the authors' published code, as in timm), or "v2_figures" (Figures 3,
            7 and 16 to 19: the stem of Inception-v4, half as many blocks, no convolution before the classifier).
        blocks: how many residual blocks A, B and C stand in a row; null: 5, 10 and 5, in "v2" 10, 20 and 10.
        residual_scale: factors on F(x) in blocks A, B and C; null: 0.17, 0.10 and 0.20, and with shortcut=none, where
            nothing is added, 1. The last block of "v2" has none.
        asymmetric: 1x7 with 7x1 and 1x3 with 3x1 convolutions; false has one 7x7 or 3x3 for each pair.
        stacked: two 3x3 convolutions in a row; false has one 5x5 for them.
        full_size: least height and width of images that the network shrinks as in the figures, 75 or more; on smaller
            ones the stem keeps the size and all convolutions are padded, with the same weights.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        form: FormName = "v1",
        blocks: list[int] | None = None,
        residual_scale: list[float] | None = None,
        asymmetric: bool = True,
        stacked: bool = True,
        full_size: int = 75,
    ) -> None:
        super().__init__(parts)
        chosen = FORMS[form]
        counts = block_counts(blocks, chosen.blocks)
        scales = _scales(parts, residual_scale)
        stem, stages = drawings(parts, full_size, asymmetric, stacked)
        self.stem = stem.path(parts.channels, chosen.stem)
        channels = channels_after(self.stem, parts.channels)
        for name, figure in chosen.stages.items():
            if name in counts:
                open_end = chosen.open_end and name == BLOCKS[-1]
                stage: nn.Module = residual_blocks(stages, channels, figure, counts[name], scales[name], open_end)
            else:
                stage = stages.figure(channels, figure)
                channels = channels_after(stage, channels)
            self.add_stage(name, stage, channels)
        self.final = stages.path(channels, chosen.final)
        self.attach_aux(parts, AUX_AT)
        self.head = parts.make("head", channels_after(self.final, channels))


def residual_blocks(
    drawing: Drawing, channels: int, figure: Figure, count: int, scale: float, open_end: bool
) -> nn.Sequential:
    """Blocks in a row, the last one without scaling and activation where `open_end` says so."""
    row = nn.Sequential()
    for left in reversed(range(count)):
        opens = open_end and left == 0
        branches = drawing.figure(channels, figure)
        row.append(ResidualBlock(drawing.parts, channels, branches, 1.0 if opens else scale, opens))
    return row


def _scales(parts: Parts, chosen: list[float] | None) -> dict[str, float]:
    """The factor on F(x) in each stage of blocks.

    Raises:
        InputError: there are not three finite numbers.
    """
    adds = parts.config["shortcut"]["name"] != "none"
    scales = (SCALES if adds else (1.0,) * len(BLOCKS)) if chosen is None else tuple(chosen)
    if len(scales) != len(BLOCKS) or not all(math.isfinite(scale) for scale in scales):
        raise InputError(f"backbone.residual_scale must be three numbers, for A, B and C, not {list(scales)}")
    return dict(zip(BLOCKS, scales, strict=True))
