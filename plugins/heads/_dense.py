"""Dense layers on feature maps."""

from typing import Literal

from torch import Tensor, nn

from ablate import InputError, Parts, build

DropoutAt = Literal["inputs", "outputs"]


class Grid(nn.AdaptiveAvgPool2d):
    """Means over the cells of a grid, (N, C, H, W) -> (N, C, *grid); its own size stays as it is.

    Maps that are smaller than the grid would be stretched: pixels twice, and weights that can learn nothing of their
    own.
    """

    def __init__(self, grid: tuple[int, int]) -> None:
        super().__init__(grid)
        self.grid = grid

    def forward(self, x: Tensor) -> Tensor:
        (height, width), (rows, columns) = x.shape[-2:], self.grid
        if height < rows or width < columns:
            raise InputError(
                f"the head averages maps to a grid of {rows}x{columns}, and gets maps of {height}x{width}: set "
                f"head.grid={min(height, width)} or less, or give the network larger images or more padding"
            )
        return super().forward(x)


def dense_layers(
    parts: Parts,
    in_channels: int,
    hidden: list[int],
    grid: int | None,
    dropout: float,
    dropout_at: DropoutAt,
    *,
    last_act: str | None = None,
) -> tuple[nn.Sequential, int]:
    """Hidden dense layers on (N, in_channels, H, W), which are first averaged to a grid; and their number of outputs.

    Args:
        parts: the head's parts; on maps smaller than `grid` the grid is the maps themselves.
        in_channels: of the maps.
        hidden: units of each layer, as they are: the width factor is not applied.
        grid: height and width; None for the maps as they are. A network whose maps turn out smaller is refused as it
            runs, in a plan already.
        dropout: share of values that is dropped in training.
        dropout_at: before each layer, or behind each layer's activation.
        last_act: name of the activation behind the last of them; None for the network's.

    Raises:
        InputError: a size below 1, an unknown activation or one without a layer, a dropout outside [0, 1), or no grid
            where the size of the maps is not known.
    """
    if (grid is not None and grid < 1) or min(hidden, default=1) < 1:
        raise InputError(f"head.grid and head.hidden must be at least 1, not {grid} and {list(hidden)}")
    if not 0 <= dropout < 1:
        raise InputError(f"head.dropout is a share from 0 to below 1, not {dropout:g}")
    if last_act is not None and not hidden:
        raise InputError(f"head.last_act={last_act} has no hidden layer to stand behind: head.hidden=[]")
    layers = nn.Sequential()
    if grid is None:
        height, width = _size_of_maps(parts)
    else:
        height, width = (min(grid, side) for side in parts.size)
        layers.add_module("grid", Grid((height, width)))
    layers.add_module("flat", nn.Flatten())
    features = in_channels * height * width
    for place, units in enumerate(hidden, start=1):
        modules = {"fc": nn.Linear(features, units), "act": _act(parts, last_act if place == len(hidden) else None)}
        drop = {"dropout": nn.Dropout(dropout)}
        for name, module in (drop | modules if dropout_at == "inputs" else modules | drop).items():
            layers.add_module(f"{name}{place}", module)
        features = units
    return layers, features


def _act(parts: Parts, name: str | None) -> nn.Module:
    """The network's activation, or another one with its own defaults."""
    return parts.act() if name is None else build("act", {"name": name}, parts)


def _size_of_maps(parts: Parts) -> tuple[int, int]:
    if parts.maps is None:
        family = parts.config["backbone"]["name"]
        raise InputError(f"head.grid=null: backbone {family} does not say how large its maps are; give a number, as 7")
    return parts.maps
