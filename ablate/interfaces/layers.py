"""Where the weight layers, norms and residual units of a network are, for what looks into it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from ablate.interfaces.parts import Shortcut
from ablate.interfaces.probe import kept

Path = Literal["main", "shortcut", "aux"]
NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.LocalResponseNorm)
NORM_NAME = re.compile(r"norm\d*")  # what orders and backbones call the place of a norm, whatever stands there


@dataclass(frozen=True)
class Layer:
    """A weight layer: a module that holds a kernel or a matrix itself.

    Attributes:
        name: of the module, such as `stages.stage1.0.branch.conv1`.
        module: such as a convolution.
        place: on the main path the layer's own number, from 1, in the order of the forward pass, as papers count the
            depth of a network. Elsewhere that of the last layer of the main path before it.
        path: "main", "shortcut" for the projections and gates of shortcuts, "aux" for auxiliary classifiers.
        norm: that its output goes through next; None where something else comes first.
    """

    name: str
    module: nn.Module
    place: int
    path: Path
    norm: nn.Module | None = None

    @property
    def kernel(self) -> tuple[int, ...]:
        """Height and width of a convolution's kernel; () for other layers."""
        return tuple(self.module.kernel_size) if isinstance(self.module, nn.Conv2d) else ()


@dataclass(frozen=True)
class Unit:
    """A residual unit x -> f(h(x) + F(x)), or without shortcut f(F(x)).

    Attributes:
        name: of the module, such as `stages.stage1.0`.
        place: its number, from 1 at the input.
        module: the unit.
        shortcut: joins h(x) and F(x); every unit has one, that of a plain network hands on F(x) alone.
    """

    name: str
    place: int
    module: nn.Module
    shortcut: Shortcut

    @property
    def row(self) -> str:
        """The name of what holds the unit, such as `stages.stage1`: units of one row follow each other."""
        return self.name.rpartition(".")[0]


@dataclass(frozen=True)
class UnitPass:
    """What went through a residual unit in a forward pass, without graph.

    Attributes:
        unit: the unit.
        x: (B, C_in, H, W), its input.
        carried: (B, C_in, H, W), what its shortcut starts from: x, or norm and activation of x where these are shared.
        residual: (B, C_out, H', W'), F(x) with the factor that it is added with by the unit (not by the shortcut).
        joined: (B, C_out, H', W'), h(x) + F(x).
        output: (B, C_out, H', W'), what the unit gives: `joined`, behind what the order puts after the addition.
    """

    unit: Unit
    x: Tensor
    carried: Tensor
    residual: Tensor
    joined: Tensor
    output: Tensor

    @property
    def keeps_shape(self) -> bool:
        """Whether x and F(x) have the same shape."""
        return self.x.shape == self.residual.shape


class Hooks:
    """Hooks of a forward pass, to be removed once it is done; `with` does that by itself."""

    def __init__(self, handles: Iterable[Any]) -> None:
        self._handles = list(handles)

    def __enter__(self) -> Hooks:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Nothing is seen any more."""
        for handle in self._handles:
            handle.remove()
        self._handles = []


def residual_units(model: nn.Module) -> list[Unit]:
    """The residual units of a network, from first to last; none for one that is not made of them, such as VGG.

    A unit is a module whose child `shortcut` is an `ablate.Shortcut`, as orders make them.
    """
    found = {name: module for name, module in model.named_modules() if isinstance(_shortcut(module), Shortcut)}
    return [
        Unit(name, place, module, cast(Shortcut, _shortcut(module)))
        for place, (name, module) in enumerate(found.items(), start=1)
    ]


def norms_of(model: nn.Module) -> dict[str, nn.Module]:
    """The norms of a network by name: those of PyTorch, and what stands in the place of one under another class."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, NORMS)
        or (NORM_NAME.fullmatch(name.rpartition(".")[2]) and not isinstance(module, nn.Identity))
    }


def watch_outputs(modules: Iterable[nn.Module], see: Callable[[nn.Module, Tensor, Tensor], None]) -> Hooks:
    """Let `see(module, input, output)` see what goes through modules that are called from now on, without graph."""

    def hook(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        with torch.no_grad():
            see(module, args[0].detach(), output.detach())

    return Hooks(module.register_forward_hook(hook) for module in modules)


def watch_units(units: Iterable[Unit], see: Callable[[UnitPass], None]) -> Hooks:
    """Let `see` see each unit as soon as the forward pass is through with it; a unit that is left out is not seen."""
    return Hooks(handle for unit in units for handle in _watch_unit(unit, see))


@contextmanager
def without_branches(units: Iterable[Unit]) -> Iterator[None]:
    """The network with F(x) = 0 in some units: what their shortcuts carry goes on alone."""

    def zero(
        module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        x, residual = _joined(args, kwargs)
        return (x, torch.zeros_like(residual)), {}

    with Hooks(unit.shortcut.register_forward_pre_hook(zero, with_kwargs=True) for unit in units):
        yield


def weight_layers(model: nn.Module, images: Tensor) -> list[Layer]:
    """The weight layers of a network, in the order in which a forward pass comes to them.

    It takes a pass of its own on an image, and leaves the network, its gradients and random generators as they were.

    Args:
        model: its auxiliary classifiers are among them.
        images: (B, C, H, W), of which the first is taken.
    """
    calls = _calls(model, images)
    aux = [f"{name}." for name in _aux_names(model)]
    shortcuts = [f"{name}." for name, module in model.named_modules() if isinstance(module, Shortcut)]
    layers: list[Layer] = []
    place = 0
    for name, module, norm in calls:
        path = _path(name, shortcuts, aux)
        place += path == "main"
        layers.append(Layer(name, module, place, path, norm))
    return layers


def _calls(model: nn.Module, images: Tensor) -> list[tuple[str, nn.Module, nn.Module | None]]:
    """The weight layers in the order of their first call, each with the norm that takes its output."""
    names = {module: name for name, module in model.named_modules() if _is_weighted(module)}
    norms = set(norms_of(model).values())
    called: dict[nn.Module, nn.Module | None] = {}
    outputs: list[tuple[Tensor, nn.Module]] = []  # with the tensors themselves: a freed one would lend its identity

    def see(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if module in names:
            called.setdefault(module, None)
            outputs.append((output, module))
        if module in norms:
            for given, layer in outputs:
                if given is args[0]:
                    called[layer] = called[layer] or module

    with kept(model), torch.no_grad(), Hooks(module.register_forward_hook(see) for module in {*names, *norms}):
        # Nothing inside trains, so that nothing is dropped; the network itself does, so that it asks its auxiliary
        # classifiers.
        model.eval()
        model.training = True
        model(images[:1])
    return [(names[module], module, norm) for module, norm in called.items()]


def _shortcut(module: nn.Module) -> object:
    return getattr(module, "shortcut", None)


def _joined(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """x and F(x), however an order has handed them to its shortcut."""
    given = {**dict(zip(("x", "residual"), args, strict=False)), **kwargs}
    return given["x"], given["residual"]


def _is_weighted(module: nn.Module) -> bool:
    return any(parameter.dim() > 1 for parameter in module.parameters(recurse=False))


def _aux_names(model: nn.Module) -> list[str]:
    heads = set(getattr(model, "aux_heads", {}).values())
    return [name for name, module in model.named_modules() if module in heads]


def _path(name: str, shortcuts: Sequence[str], aux: Sequence[str]) -> Path:
    if name.startswith(tuple(shortcuts)):
        return "shortcut"
    return "aux" if f"{name}.".startswith(tuple(aux)) else "main"


def _watch_unit(unit: Unit, see: Callable[[UnitPass], None]) -> Iterator[Any]:
    joins: list[tuple[Tensor, Tensor, Tensor]] = []

    def joined(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> None:
        x, residual = _joined(args, kwargs)
        joins.append((x.detach(), residual.detach(), output.detach()))

    def ended(module: nn.Module, args: tuple[Tensor], output: Tensor) -> None:
        if joins:
            with torch.no_grad():
                see(UnitPass(unit, args[0].detach(), *joins.pop(), output.detach()))

    yield unit.shortcut.register_forward_hook(joined, with_kwargs=True)
    yield unit.module.register_forward_hook(ended)
