"""Residual networks."""

import math
from typing import Literal

from torch import nn

from ablate import Backbone, Block, Head, Order, Parts, Stem, UnitShape, check_image_size, register

from ._layouts import CHANNELS, Downsample, Layout, stage_strides, unit_shapes, units_per_stage

Listed = Literal["after_branch", "before_branch", "first"]


@register("backbone", "resnet")
class ResNet(Backbone):
    """Stem, stages of residual units, classifier (He et al. 2015, arXiv 1512.03385, Table 1 and section 4.2).

    Args:
        layout: "cifar", three stages of 16, 32, 64 channels, or "imagenet", four of 64 to 512; says which depths exist.
        channels: of the first stage, where they are not the layout's; each stage doubles them.
        stem_channels: of the stem, where they are not those of the first stage.
        strides: of each stage; null halves height and width between every two stages.
        downsample: the unit that has its stage's stride: the "first" (the paper), or the "last", one stage earlier, so
            that a stage ends at the size of the next (Keras, v2).
        shortcut_listed: where a unit's shortcut stands in the state_dict: "after_branch" (torchvision, He's code),
            "before_branch" (Keras), or "first", before the shared norm too (timm).
    """

    def __init__(
        self,
        parts: Parts,
        *,
        layout: Layout = "cifar",
        channels: int | None = None,
        stem_channels: int | None = None,
        strides: list[int] | None = None,
        downsample: Downsample = "first",
        shortcut_listed: Listed = "after_branch",
    ) -> None:
        super().__init__(parts)
        block: Block = parts.make("block")
        order: Order = parts.make("order")
        units = units_per_stage(parts, layout, block)
        strides = stage_strides(len(units), strides, downsample)
        check_image_size(parts, math.prod(strides), f"backbone resnet with strides {strides}")
        channels = CHANNELS[layout] if channels is None else channels
        widths = [parts.scaled(channels * 2**stage) for stage in range(len(units))]
        outputs = [width * block.expansion for width in widths]
        stem_channels = channels if stem_channels is None else stem_channels
        self.stem: Stem = parts.make("stem", parts.scaled(stem_channels), order)
        shapes = unit_shapes(self.stem.out_channels, outputs, units, strides, downsample)
        for place, (width, channels, stage) in enumerate(zip(widths, outputs, shapes, strict=True), start=1):
            module = nn.Sequential(*(_unit(block, order, width, shape, shortcut_listed) for shape in stage))
            self.add_stage(f"stage{place}", module, channels)
        self.final = order.after_stages(outputs[-1])
        self.attach_aux(parts)
        self.head: Head = parts.make("head", outputs[-1])


def _unit(block: Block, order: Order, width: int, shape: UnitShape, listed: Listed) -> nn.Module:
    layers = block.layers(shape.in_channels, width, shape.stride)
    unit = order.unit(layers, block.tail(shape.out_channels), shape)
    children = dict(unit.named_children())
    if listed == "after_branch" or not {"branch", "shortcut"} <= set(children):
        return unit
    names = [name for name in children if name != "shortcut"]
    names.insert(0 if listed == "first" else names.index("branch"), "shortcut")
    for name in names:  # the order of assignment is the order of the state_dict
        delattr(unit, name)
        setattr(unit, name, children[name])
    return unit
