"""A network as a table by stage, read off the network itself: shapes, parameters, multiply-adds, receptive field."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ablate.interfaces.backbone import Backbone
from ablate.network.build import build_model, count_flops, count_parameters, eval_mode, image_shape
from ablate.network.multiply_adds import MultiplyAdds
from ablate.network.receptive_field import Field, ReceptiveFields
from ablate.registry.blame import blaming


@dataclass(frozen=True)
class Row:
    """A part of a network.

    Attributes:
        name: what the network calls it.
        shape: of its output for one image, such as (64, 56, 56).
        params: trainable parameters.
        flops: multiply-adds for one image.
        field: the receptive field of its output, None where that is no map.
    """

    name: str
    shape: tuple[int, ...]
    params: int
    flops: int
    field: Field | None = None


@dataclass(frozen=True)
class Description:
    """A network.

    Attributes:
        image: (C, H, W) of its images.
        rows: its parts in the order in which they run.
        aux: its auxiliary classifiers, which run while it trains.
        params: trainable parameters, those of auxiliary classifiers among them.
        flops: multiply-adds for one image in eval mode.
    """

    image: tuple[int, int, int]
    rows: list[Row]
    aux: list[Row]
    params: int
    flops: int


def describe(cfg: Mapping[str, Any]) -> Description:
    """The network of a composed config, part by part; nothing is computed.

    Raises:
        InputError: the config does not make a network.
    """
    with blaming(cfg, "building and running the network"):
        channels, (height, width), _ = image_shape(cfg)
        with torch.device("meta"):
            model = build_model(cfg)
        return describe_network(model, (channels, height, width))


def describe_network(model: nn.Module, image: tuple[int, int, int]) -> Description:
    """A network part by part, in eval mode.

    The parts of a backbone with stages are its stem, its stages, what follows them, and its head; those of any other
    network are its children. What they do not hold is a row of its own, so that the rows add up to the network.

    Args:
        model: it is left as it was.
        image: (C, H, W).
    """
    aux = model.aux_heads if isinstance(model, Backbone) else {}
    params, flops = count_parameters(model), count_flops(model, (1, *image))
    rows = _run(model, _parts(model), image)
    shapes = {row.name: row.shape for row in rows}
    heads = [_aux_row(tap, head, shapes[tap]) for tap, head in aux.items()]
    rest = Row("other", (), params - sum(row.params for row in [*rows, *heads]), flops - sum(row.flops for row in rows))
    return Description(image, [*rows, rest] if rest.params or rest.flops else rows, heads, params, flops)


def last_receptive_field(model: nn.Module, image: tuple[int, int, int]) -> int | None:
    """What one pixel of a network's last map sees, in pixels along the longer side.

    Args:
        model: it is left as it was.
        image: (C, H, W).

    Returns:
        None where it sees the whole image, or where there is no map.
    """
    fields = [row.field for row in _run(model, _parts(model), image) if row.field is not None]
    size = max(span.size for span in fields[-1]) if fields else math.inf
    return round(size) if math.isfinite(size) else None


def _parts(model: nn.Module) -> dict[str, nn.Module]:
    if not isinstance(model, Backbone):
        return dict(model.named_children())
    stages = {name: model.stages.get_submodule(name) for name in model.taps}
    return {"stem": model.stem, **stages, "final": model.final, "head": model.head}


def _run(model: nn.Module, parts: Mapping[str, nn.Module], image: Sequence[int]) -> list[Row]:
    """A row for each part that makes something of its input, in the order in which they ran."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    x = torch.zeros(1, *image, device=device)
    counter, fields = MultiplyAdds(model), ReceptiveFields(x)
    rows: list[Row] = []
    spent: dict[str, int] = {}

    def before(name: str, module: nn.Module, inputs: Any) -> None:
        # The counter sums over the whole pass, and what a part costs is the difference between its end and its start.
        spent[name] = counter.total

    def after(name: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
        # An identity, as a `final` that a family leaves empty, is no part that a reader would look for.
        if output is inputs[0]:
            return
        field = fields.of(output) if output.dim() == 4 else None
        flops = counter.total - spent[name]
        rows.append(Row(name, tuple(output.shape[1:]), count_parameters(module), flops, field))

    # The counter's own hooks first: a part may be a module that says itself what it costs.
    with eval_mode(model), torch.no_grad(), counter, fields, _hooks(parts, before, after):
        model(x)
    return rows


@contextmanager
def _hooks(parts: Mapping[str, nn.Module], before: Callable[..., None], after: Callable[..., None]) -> Iterator[None]:
    with ExitStack() as hooks:
        for name, module in parts.items():
            hooks.enter_context(module.register_forward_pre_hook(partial(before, name)))
            hooks.enter_context(module.register_forward_hook(partial(after, name)))
        yield


def _aux_row(tap: str, head: nn.Module, shape: tuple[int, ...]) -> Row:
    # Alone, on a map of its stage's shape: in eval mode the network does not run it.
    (row,) = _run(nn.Sequential(head), {f"aux at {tap}": head}, shape)
    return row
