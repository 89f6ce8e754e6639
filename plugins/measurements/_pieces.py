"""What can be taken out of a trained network or change places in it: residual units, or layers where there are none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ablate import (
    Hooks,
    Unit,
    UnitPass,
    norms_of,
    residual_units,
    watch_units,
    weight_layers,
    without_branches,
)  # fmt: skip

ACT_NAME = re.compile(r"act\d*")  # what orders and backbones call the place of an activation, whatever stands there


@dataclass(frozen=True)
class Piece:
    """A residual unit, or a convolution with the norm and the activation behind it.

    Attributes:
        name: of the unit's or the convolution's module.
        place: its number in the network, from 1 at the input.
        stage: the stage that it stands in, or the part of the network, such as `stem`; empty for a part by itself.
        before: channels, height and width of what it takes.
        after: the same of what it gives.
        modules: the unit; or the convolution and what stands behind it, in the order of the forward pass.
        unit: where it is one.
    """

    name: str
    place: int
    stage: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    modules: tuple[nn.Module, ...]
    unit: Unit | None = None

    @property
    def changes(self) -> bool:
        """Whether it changes the shape of the maps."""
        return self.before != self.after

    @property
    def can_go(self) -> bool:
        """Whether the network is one without it: a unit has its shortcut, a layer must keep the shape."""
        return self.unit is not None or not self.changes

    def fits(self, other: Piece) -> bool:
        """Whether it can take another one's place: same stage and same shape, which neither of them changes."""
        return (
            not (self.changes or other.changes)
            and (self.stage, self.before) == (other.stage, other.before)
            and [type(one) for one in self.modules] == [type(one) for one in other.modules]
        )


def pieces_of(model: nn.Module, images: Tensor) -> list[Piece]:
    """The residual units of a network; its convolutions, where no unit has anything on its shortcut.

    Args:
        model: in eval mode.
        images: (B, C, H, W), of which the first is taken through the network.
    """
    units = carrying_units(model, images)
    return units or _layers(model, images[:1])


def carrying_units(model: nn.Module, images: Tensor) -> list[Piece]:
    """The residual units of a network; none where it is plain, so that all its units give F(x) alone."""
    passes: list[UnitPass] = []
    with torch.no_grad(), watch_units(residual_units(model), passes.append):
        model(images[:1])
    if all(torch.equal(one.joined, one.residual) for one in passes):
        return []
    return [_piece_of_unit(one) for one in sorted(passes, key=lambda one: one.unit.place)]


@contextmanager
def without(pieces: Iterable[Piece]) -> Iterator[None]:
    """The network without some pieces: of a unit the shortcut stays, a layer hands on what it is given."""
    pieces = list(pieces)
    layers = {module: _handed_on for one in pieces if one.unit is None for module in one.modules}
    with without_branches([one.unit for one in pieces if one.unit]), _in_place(layers):
        yield


@contextmanager
def in_order(order: Mapping[Piece, Piece]) -> Iterator[None]:
    """The network with pieces in the places of others.

    Args:
        order: place -> the piece that stands there now.
    """
    forwards = {
        place: piece.forward
        for old, new in order.items()
        for place, piece in zip(old.modules, new.modules, strict=True)
    }
    with _in_place(forwards):
        yield


@contextmanager
def _in_place(forwards: Mapping[nn.Module, Any]) -> Iterator[None]:
    """Modules that compute something else; their weights, names and hooks stay where they are."""
    with ExitStack() as undo:
        for module, forward in forwards.items():
            # On the instance, before the class's own: to be undone by taking it away again.
            module.__dict__["forward"] = forward
            undo.callback(module.__dict__.pop, "forward")
        yield


def _handed_on(x: Tensor) -> Tensor:
    return x


def _piece_of_unit(passed: UnitPass) -> Piece:
    unit = passed.unit
    before, after = tuple(passed.x.shape[1:]), tuple(passed.residual.shape[1:])
    return Piece(unit.name, unit.place, _stage(unit.name), before, after, (unit.module,), unit)


def _layers(model: nn.Module, images: Tensor) -> list[Piece]:
    """The convolutions of the main path, each with the norm and the activation that its output goes through."""
    layers = [one for one in weight_layers(model, images) if one.path == "main" and one.kernel]
    behind = {*norms_of(model).values(), *_activations(model)}
    calls: list[tuple[nn.Module, Tensor, Tensor]] = []
    with _watched({*behind, *(one.module for one in layers)}, calls), torch.no_grad():
        model(images)
    found = []
    for layer in layers:
        at = next(place for place, (module, _, _) in enumerate(calls) if module is layer.module)
        _, x, output = calls[at]
        modules = [layer.module]
        for module, given, out in calls[at + 1 :]:
            if given is output and module in behind:
                modules.append(module)
                output = out
        shapes = tuple(x.shape[1:]), tuple(output.shape[1:])
        found.append(Piece(layer.name, layer.place, _stage(layer.name), *shapes, tuple(modules)))
    return found


def _watched(modules: Iterable[nn.Module], calls: list[tuple[nn.Module, Tensor, Tensor]]) -> Hooks:
    """Note the very tensors that go in and out, by which it is known what stands behind what."""

    def see(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        calls.append((module, args[0], output))

    return Hooks([module.register_forward_hook(see) for module in modules])


def _activations(model: nn.Module) -> list[nn.Module]:
    return [
        module
        for name, module in model.named_modules()
        if ACT_NAME.fullmatch(name.rpartition(".")[2]) or type(module).__module__ == "torch.nn.modules.activation"
    ]


def _stage(name: str) -> str:
    path = name.split(".")[:-1]
    return path[1] if path[:1] == ["stages"] else next(iter(path), "")
