"""Residual networks."""

import copy
import math
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from ablate import Backbone, Block, Head, InputError, Order, Parts, Stem, UnitShape, check_image_size, register

from ._layouts import CHANNELS, Downsample, Layout, stage_strides, unit_shapes, units_per_stage
from ._stochastic_depth import DropPath, Per, Rule

Listed = Literal["after_branch", "before_branch", "first"]


@register("backbone", "resnet")
class ResNet(Backbone):
    """Stem, stages of residual units, classifier (He et al. 2015, arXiv 1512.03385, Table 1 and section 4.2).

    The maps behind each part, with its usual stem and blocks of two layers (bottlenecks give four times the channels):

        layout="cifar"              layout="imagenet"
        image   (N,  3, 32, 32)     image   (N,   3, 224, 224)
        stem    (N, 16, 32, 32)     stem    (N,  64,  56,  56)
        stage1  (N, 16, 32, 32)     stage1  (N,  64,  56,  56)
        stage2  (N, 32, 16, 16)     stage2  (N, 128,  28,  28)
        stage3  (N, 64,  8,  8)     stage3  (N, 256,  14,  14)
                                    stage4  (N, 512,   7,   7)

    Args:
        layout: "cifar", three stages of 16, 32, 64 channels, or "imagenet", four of 64 to 512; says which depths exist.
        channels: width of the first stage, where it is not the layout's.
        growth: factor from a stage's width to the next one's: 2 (the paper), or 1 for widths that stay (source 004).
        units: units of each stage, where they are not those of the layout and the depth, which then is not asked for.
        stem_channels: of the stem, where they are not the width of the first stage (source 000: a stem of 64 before
            bottlenecks of width 16, which have 64 channels outside).
        strides: of each stage; null halves height and width between every two stages.
        downsample: the unit that has its stage's stride: the "first" (the paper), or the "last", one stage earlier, so
            that a stage ends at the size of the next (Keras, v2).
        shortcut_listed: where a unit's shortcut stands in the state_dict: "after_branch" (torchvision, He's code),
            "before_branch" (Keras), or "first", before the shared norm too (timm).
        drop_path: probability that the branch of the last unit is dropped in training, which grows linearly up to there
            from the first unit on; stochastic depth (Huang et al. 2016, arXiv 1603.09382: 0.5).
        drop_path_rule: "paper": a branch is scaled by its probability to be kept when the network is tested;
            "inverted": by its inverse in training (timm).
        drop_path_per: a branch is dropped for a whole "batch" (the paper) or for each "image" by itself (timm).
    """

    before: ClassVar[dict[str, Any]] = {
        "growth": 2,
        "units": None,
        "drop_path": 0.0,
        "drop_path_rule": "paper",
        "drop_path_per": "batch",
    }

    def __init__(
        self,
        parts: Parts,
        *,
        layout: Layout = "cifar",
        channels: int | None = None,
        growth: int = 2,
        units: list[int] | None = None,
        stem_channels: int | None = None,
        strides: list[int] | None = None,
        downsample: Downsample = "first",
        shortcut_listed: Listed = "after_branch",
        drop_path: float = 0.0,
        drop_path_rule: Rule = "paper",
        drop_path_per: Per = "batch",
    ) -> None:
        super().__init__(parts)
        block: Block = parts.make("block")
        order: Order = parts.make("order")
        if growth < 1:
            raise InputError(f"backbone.growth is a factor on widths from 1 on, not {growth}")
        counts = units_per_stage(parts, layout, block, units)
        strides = stage_strides(len(counts), strides, downsample)
        check_image_size(parts, math.prod(strides), f"backbone resnet with strides {strides}")
        first_width = CHANNELS[layout] if channels is None else channels
        # A stage's width is that of its 3x3 convolutions; what its units give is `block.expansion` times as wide.
        widths = [parts.scaled(first_width * growth**place) for place in range(len(counts))]
        outputs = [width * block.expansion for width in widths]
        stem_width = first_width if stem_channels is None else stem_channels
        # The order says what follows the stem's convolution: nothing before units that norm their input themselves.
        self.stem: Stem = parts.make("stem", parts.scaled(stem_width), order)
        shapes = unit_shapes(self.stem.out_channels, outputs, counts, strides, downsample)
        all_units: list[nn.Module] = []
        for number, (width, out_channels, stage) in enumerate(zip(widths, outputs, shapes, strict=True), start=1):
            module = nn.Sequential(*(_unit(block, order, width, shape, shortcut_listed) for shape in stage))
            self.add_stage(f"stage{number}", module, out_channels)
            all_units += module
        DropPath(drop_path, drop_path_rule, drop_path_per).add_to(all_units, parts.config["order"]["name"])
        self.final = order.after_stages(outputs[-1])
        self.attach_aux(parts)
        self.head: Head = replace(parts, maps=_maps(self.stem, parts, strides)).make("head", outputs[-1])


def _maps(stem: Stem, parts: Parts, strides: list[int]) -> tuple[int, int]:
    """Height and width behind the stages. What the stem does to a size, it alone knows: it is run without computing."""
    with torch.no_grad():
        x = copy.deepcopy(stem).to("meta").eval()(torch.zeros(1, parts.channels, *parts.size, device="meta"))
    height, width = (-(-side // math.prod(strides)) for side in x.shape[-2:])
    return height, width


def _unit(block: Block, order: Order, width: int, shape: UnitShape, listed: Listed) -> nn.Module:
    """A residual unit, whose parts are listed as in the network that it is to be like.

    Published weights are read one after the other, in the order of their own state_dict, and the initial values do not
    depend on it: each is drawn for its name.
    """
    layers = block.layers(shape.in_channels, width, shape.stride)
    unit = order.unit(layers, block.tail(shape.out_channels), shape)
    children = dict(unit.named_children())
    # An order of the user's own may call its parts otherwise; then they stay as it lists them.
    if listed == "after_branch" or not {"branch", "shortcut"} <= set(children):
        return unit
    names = [name for name in children if name != "shortcut"]
    names.insert(0 if listed == "first" else names.index("branch"), "shortcut")
    for name in names:  # a module lists its children as they were assigned
        delattr(unit, name)
        setattr(unit, name, children[name])
    return unit
