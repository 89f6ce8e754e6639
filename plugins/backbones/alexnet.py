"""AlexNet."""

from torch import nn

from ablate import Backbone, InputError, Parts, check_image_size, register

from ._plain import NormPlace, Pool, check_numbers, conv_layer, make_head, pooling

CHANNELS = [64, 192, 384, 256, 256]
KERNELS = (11, 5, 3, 3, 3)
GROUPED = (2, 4, 5)
POOLED = (1, 2)  # and behind the last convolution
FEWEST = 4


@register("backbone", "alexnet")
class AlexNet(Backbone):
    """Five convolutions, three poolings, dense layers (Krizhevsky et al. 2012, section 3; arXiv 1404.5997).

    Its stages are conv1 to conv5, each with what follows its convolution. With four convolutions the last one is left
    out, and the pooling behind it follows conv4.

    Args:
        channels: of the five convolutions: one tower (arXiv 1404.5997), or the paper's 96, 256, 384, 384, 256; or of
            four.
        groups: in convolutions 2, 4 and 5: 2 in the paper, where each GPU sees the maps of its own.
        pool: "max" or "avg".
        overlap: pooling windows of 3x3 at stride 2 (the paper), else of 2x2.
        norm_at: numbers of the convolutions that have a norm; null for all. The paper has its LRN at 1 and 2.
        norm_place: the norm stands "before_act", or "after_act" as the paper's LRN.
        bias: whether convolutions add a bias.
        padding: of the first convolution: 2 for images of 224 pixels, 0 for 227; both give maps of 55x55, and of 6x6
            behind the last pooling. At 224 pixels 0 gives 5x5: head.grid=5.
        full_size: least height and width of images that the first convolution shrinks by 4. On smaller ones the same
            weights have stride 1, a pooling halves its map whatever the size, leaves single pixels alone, and the head
            gets the maps at their own size.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        channels: list[int] = CHANNELS,
        groups: int = 1,
        pool: Pool = "max",
        overlap: bool = True,
        norm_at: list[int] | None = None,
        norm_place: NormPlace = "before_act",
        bias: bool = True,
        padding: int = 2,
        full_size: int = 64,
    ) -> None:
        super().__init__(parts)
        _check(channels, groups, padding)
        normed = check_numbers("norm_at", norm_at, len(channels))
        small = min(parts.size) < full_size
        if not small:
            check_image_size(parts, _least_size(overlap, padding), "backbone alexnet at stride 4")
        inside, maps = parts.channels, parts.size
        for place, (count, kernel) in enumerate(zip(channels, KERNELS, strict=False), start=1):
            outside = parts.scaled(count, groups)
            stride, pad = (4, padding) if place == 1 and not small else (1, kernel // 2)
            towers = groups if place in GROUPED else 1
            conv = nn.Conv2d(inside, outside, kernel, stride, pad, groups=towers, bias=bias)
            stage = conv_layer(parts, conv, outside, norm_place if place in normed else None)
            if place in {*POOLED, len(channels)} and min(maps) > 1:
                # With a last window over the border, 3x3 windows halve a small map just as 2x2 windows do.
                stage.add_module("pool", pooling(pool, 3 if overlap else 2, ceil=small and overlap))
                maps = (maps[0] // 2, maps[1] // 2) if small else maps
            self.add_stage(f"conv{place}", stage, outside)
            inside = outside
        self.attach_aux(parts)
        self.head = make_head(parts, inside, maps)


def _check(channels: list[int], groups: int, padding: int) -> None:
    if not FEWEST <= len(channels) <= len(KERNELS) or min(channels) < 1:
        known = f"{len(KERNELS)} or {FEWEST}"
        raise InputError(f"backbone.channels must be {known} numbers from 1 on, not {list(channels)}")
    if groups < 1:
        raise InputError(f"backbone.groups must be at least 1, not {groups}")
    for count in channels:
        if count % groups:
            raise InputError(f"backbone alexnet: {groups} groups do not divide {count} channels")
    if not 0 <= padding <= KERNELS[0] // 2:
        raise InputError(f"backbone.padding must be from 0 to {KERNELS[0] // 2} pixels, not {padding}")


def _least_size(overlap: bool, padding: int) -> int:
    """Height and width of which three poolings leave one pixel: windows of 3 need maps of 15, windows of 2 of 8."""
    maps = 15 if overlap else 8
    return 4 * (maps - 1) + KERNELS[0] - 2 * padding
