"""How many units stand in each stage, and the shape of each."""

from typing import Literal

from ablate import Block, InputError, Parts, UnitShape

Layout = Literal["cifar", "imagenet"]
Downsample = Literal["first", "last"]
CHANNELS: dict[Layout, int] = {"cifar": 16, "imagenet": 64}
CIFAR_STAGES = 3
# He et al. 2015, Table 1; 200 layers: He et al. 2016, section 5. By the weight layers in a unit.
SHALLOW = [(2, 2, 2, 2), (3, 4, 6, 3)]
IMAGENET = {3: [(3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3), (3, 24, 36, 3)]}


def units_per_stage(parts: Parts, layout: Layout, block: Block, chosen: list[int] | None) -> tuple[int, ...]:
    """The units of each stage: as chosen, or for the depth asked for.

    The depth is that of the weight layers in units, with one in the stem and one classifier.

    Raises:
        InputError: no network of this depth exists; names the nearest ones. Or a stage is to have no unit.
    """
    if chosen is not None:
        if min(chosen, default=0) < 1:
            raise InputError(f"backbone.units must be numbers from 1 on, one a stage, not {list(chosen)}")
        return tuple(chosen)
    if parts.depth is None:
        raise InputError("backbone resnet needs a depth, such as depth=20")
    known = _cifar(block.depth, parts.depth) if layout == "cifar" else _imagenet(block.depth)
    if parts.depth not in known:
        form = f"{block.depth * CIFAR_STAGES}n + 2" if layout == "cifar" else ", ".join(map(str, known))
        nearest = sorted(sorted(known, key=lambda depth: abs(depth - (parts.depth or 0)))[:2])
        raise InputError(
            f"depth {parts.depth} does not exist: with block {parts.config['block']['name']} and layout {layout} "
            f"a network has {form} layers; nearest: {' and '.join(map(str, nearest))}"
        )
    return known[parts.depth]


def _cifar(unit_depth: int, depth: int) -> dict[int, tuple[int, ...]]:
    """Units by depth, for the depths that exist around `depth`."""
    layers = unit_depth * CIFAR_STAGES
    n = max(1, (depth - 2) // layers)  # the depth below, or the one that was asked for, and the next above
    return {count * layers + 2: (count,) * CIFAR_STAGES for count in (n, n + 1)}


def _imagenet(unit_depth: int) -> dict[int, tuple[int, ...]]:
    """Units by depth."""
    return {sum(units) * unit_depth + 2: units for units in IMAGENET.get(unit_depth, SHALLOW)}


def stage_strides(stages: int, strides: list[int] | None, downsample: Downsample) -> list[int]:
    """The stride of each stage.

    Raises:
        InputError: there is not one stride a stage, or one is below 1.
    """
    if strides is None:
        # A stage that halves the size at its end does it in place of the next one's beginning, so that the sizes in
        # between are the same; the last stage has no next one, as the first one has none before it.
        halving = [2] * (stages - 1)
        return [1, *halving] if downsample == "first" else [*halving, 1]
    if len(strides) != stages or min(strides) < 1:
        raise InputError(f"backbone.strides must be {stages} numbers from 1 on, one a stage, not {list(strides)}")
    return list(strides)


def unit_shapes(
    in_channels: int, outputs: list[int], units: tuple[int, ...], strides: list[int], downsample: Downsample
) -> list[list[UnitShape]]:
    """The shape of every unit, stage by stage.

    Args:
        in_channels: channels behind the stem.
        outputs: output channels of each stage.
        units: number of units in each stage.
        strides: of each stage.
        downsample: the unit of a stage that has its stride.
    """
    stages: list[list[UnitShape]] = []
    for out_channels, count, stride in zip(outputs, units, strides, strict=True):
        strided = 0 if downsample == "first" else count - 1
        shapes = []
        for place in range(count):
            # Channels change in a stage's first unit, also where the last one has the stride (Keras, v2).
            inside = in_channels if place == 0 else out_channels
            first = not stages and place == 0
            shapes.append(UnitShape(inside, out_channels, stride if place == strided else 1, first=first))
        stages.append(shapes)
        in_channels = out_channels
    return stages
