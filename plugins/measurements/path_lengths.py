"""How long the paths are through which a trained residual network gets its gradient."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

from ablate import (
    Chart,
    Hooks,
    InputError,
    Measured,
    Measurement,
    Trained,
    Unit,
    register,
    residual_units,
    weight_layers,
)

from ._pieces import carrying_units

LENGTH = "branches on the path"  # at the axis of a chart
SHARE = 0.9  # of the gradient that `low` and `high` enclose


@register("measurement", "path_lengths")
class PathLengths(Measurement):
    """The gradient that comes through paths of each length (Veit et al. 2016, arXiv 1605.06431, section 5 and Fig. 6).

    A network of n residual units is 2^n paths: in each unit through F or through the shortcut. As in the paper a batch
    goes forward through the whole network, and in the backward pass k units are drawn, through which the gradient goes
    by F alone; through all others it goes by the shortcut alone. What arrives at the input of the first unit is the
    gradient of a single path of length k; its Euclidean norm is taken for each image and averaged over images and
    draws. Times the number of paths, C(n, k), it is what paths of this length contribute (Fig. 6c). What stands behind
    the addition, as the ReLU of v1, is passed by every path as in the whole network, by the same slope; norms have
    their running statistics, so that all 2^n gradients add up to that of the network.

    Columns: `low` and `high`, the lengths between which 90 % of the contributions lie, 5 % below and 5 % above; `mean`
    length; the same in weight layers (`_layers`); `mean_share` and `high_share`, over n; `paths_within`, the share of
    all paths whose lengths are from `low` to `high`; `units`, n. The table has for each length the share of paths, the
    mean norm, and the share of the contributions.

    Norms of paths differ by orders of magnitude, so that few draws make a rough curve; the paper takes 1,000 for each
    length. It takes draws times n + 1 backward passes in all, of half the network on average.

    Args:
        draws: sets of units for each length, each on the next of the batches.
        batches: batches of training images.
        images: in each.
    """

    columns = (
        "low", "mean", "high", "low_layers", "mean_layers", "high_layers", "mean_share", "high_share", "paths_within",
        "units",
    )  # fmt: skip
    charts = (
        Chart(
            "paths", over="length", title="Paths by length", words="share of all paths", axis=LENGTH,
            caption="Of n units, C(n, k) of the 2^n paths go through k branches (Veit et al. 2016, arXiv 1605.06431, "
            "Figure 6a).",
        ),
        Chart(
            "norm", over="length", title="Gradient of one path, by its length", words="gradient norm", axis=LENGTH,
            log=True,
            caption="Mean norm of the gradient that comes through a single path (Veit et al. 2016, Figure 6b).",
        ),
        Chart(
            "share", over="length", title="Gradient of all paths of a length", words="share of all contributions",
            axis=LENGTH,
            caption="The two charts before it multiplied, as a share of their sum: the lengths from which the gradient "
            "comes (Veit et al. 2016, Figure 6c).",
        ),
    )  # fmt: skip

    def __init__(self, *, draws: int = 32, batches: int = 8, images: int = 32) -> None:
        for name, value in {"draws": draws, "batches": batches, "images": images}.items():
            if value < 1:
                raise InputError(f"measurements.path_lengths.{name}={value}: must be at least 1")
        self.draws, self.batches, self.images = draws, batches, images

    def nothing_in(self, trained: Trained) -> str:
        """It has one path alone."""
        images, _ = next(iter(trained.batches("test")))
        return "" if carrying_units(trained.model, images) else "the network has no residual units with a shortcut"

    def measure(self, trained: Trained) -> Measured:
        units = residual_units(trained.model)
        norms = self._norms(trained, units).tolist()
        paths = [math.comb(len(units), length) for length in range(len(units) + 1)]
        shares = contributions(norms)
        images, _ = next(iter(trained.batches("test")))
        depth = _layers_of_a_branch(trained, units, images)
        rows = [
            {"length": length, "layers": length * depth, "paths": count / 2 ** len(units), "norm": norm, "share": share}
            for length, (count, norm, share) in enumerate(zip(paths, norms, shares, strict=True))
        ]
        return Measured(_values(shares, paths, depth), rows)

    def _norms(self, trained: Trained, units: Sequence[Unit]) -> Tensor:
        """Mean norm of a path's gradient by its length, (n + 1,) float64."""
        batches = list(self._drawn(trained))
        sums = torch.zeros(len(units) + 1, dtype=torch.float64, device=trained.device)
        counts = torch.zeros_like(sums)
        for number, (images, labels) in enumerate(batches):
            with Paths(trained, units, images, labels) as paths:
                for length in range(len(units) + 1):
                    for draw in range(number, self.draws, len(batches)):
                        generator = trained.generator("path_lengths", length, draw)
                        chosen = torch.randperm(len(units), generator=generator)[:length]
                        norm = paths.gradient(chosen.tolist()).flatten(1).double().norm(dim=1)
                        sums[length] += norm.mean()
                        counts[length] += 1
        return sums / counts

    def _drawn(self, trained: Trained) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of training images, one for each draw at most."""
        wanted = min(self.batches, self.draws)
        for _, (images, labels) in zip(range(wanted), trained.training_batches(0), strict=False):
            yield images[: self.images], labels[: self.images]


class Paths:
    """A forward pass whose gradient can be sent back along each path.

    Args:
        trained: the network, in eval mode.
        units: its residual units.
        images: (B, C, H, W).
        labels: (B,).
    """

    def __init__(self, trained: Trained, units: Sequence[Unit], images: Tensor, labels: Tensor) -> None:
        self.units = units
        self._open: dict[str, dict[int, bool]] = {"shortcut": {}, "branch": {}}
        self._entry: list[Tensor] = []
        with self._hooks(), _without_parameters(trained), torch.enable_grad():
            logits = trained.model(images).float()
            self._loss = F.cross_entropy(logits, labels, reduction="sum")  # an image's gradient is its own loss's

    def __enter__(self) -> Paths:
        return self

    def __exit__(self, *error: object) -> None:
        del self._loss

    def gradient(self, chosen: Iterable[int]) -> Tensor:
        """Of each image's loss with respect to the input of the first unit, (B, C, H, W).

        Args:
            chosen: numbers of the units, from 0, through whose F the path goes; in all others it is the shortcut.
        """
        taken = set(chosen)
        for number in range(len(self.units)):
            self._open["branch"][number] = number in taken
            self._open["shortcut"][number] = number not in taken
        (entry,) = self._entry
        (found,) = torch.autograd.grad(self._loss, entry, retain_graph=True, allow_unused=True)
        return torch.zeros_like(entry) if found is None else found

    def _hooks(self) -> Hooks:
        first = self.units[0].module.register_forward_pre_hook(self._enter)
        return Hooks([first, *(self._gated(number, unit) for number, unit in enumerate(self.units))])

    def _enter(self, module: object, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        entry = args[0].detach().requires_grad_()
        self._entry.append(entry)
        return (entry, *args[1:])

    def _gated(self, number: int, unit: Unit) -> Any:
        def gate(
            module: object, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> tuple[tuple[Any, ...], dict[str, Any]]:
            given = {**dict(zip(("x", "residual"), args, strict=False)), **kwargs}
            opens = ((given["x"], self._open["shortcut"]), (given["residual"], self._open["branch"]))
            return tuple(_Gate.apply(one, is_open, number) for one, is_open in opens), {}  # type: ignore[no-untyped-call]

        return unit.shortcut.register_forward_pre_hook(gate, with_kwargs=True)


class _Gate(Function):
    """The identity, whose gradient goes on where the gate is open at the time of the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, is_open: Mapping[int, bool], number: int) -> Tensor:
        ctx.is_open, ctx.number = is_open, number
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        # None, and not zeros: what lies behind a closed gate is not computed.
        return (gradients[0] if ctx.is_open[ctx.number] else None), None, None


def contributions(norms: Sequence[float]) -> list[float]:
    """The share of the gradient that comes through paths of each length: mean norm times number of paths.

    Args:
        norms: by length, from 0 to n.
    """
    units = len(norms) - 1
    weights = [norm * math.comb(units, length) for length, norm in enumerate(norms)]
    total = sum(weights)
    return [weight / total if total else math.nan for weight in weights]


def _values(shares: Sequence[float], paths: Sequence[int], depth: float) -> dict[str, float]:
    units = len(shares) - 1
    if math.isnan(shares[0]):
        return dict.fromkeys(PathLengths.columns, math.nan)
    low, high = (_quantile(shares, share) for share in ((1 - SHARE) / 2, (1 + SHARE) / 2))
    mean = sum(length * share for length, share in enumerate(shares))
    lengths = {"low": float(low), "mean": mean, "high": float(high)}
    layers = {f"{name}_layers": value * depth for name, value in lengths.items()}
    within = sum(paths[low : high + 1]) / 2**units
    shares_of_n = {"mean_share": mean / units, "high_share": high / units}
    return {**lengths, **layers, **shares_of_n, "paths_within": within, "units": float(units)}


def _quantile(shares: Sequence[float], share: float) -> int:
    """The shortest length up to which this share of the gradient comes, but for rounding."""
    reached = 0.0
    for length, one in enumerate(shares):
        reached += one
        if reached >= share - 1e-12:
            return length
    return len(shares) - 1


def _layers_of_a_branch(trained: Trained, units: Sequence[Unit], images: Tensor) -> float:
    """Weight layers of F, as a mean over the units."""
    names = [layer.name for layer in weight_layers(trained.model, images) if layer.path == "main"]
    inside = sum(name.startswith(f"{unit.name}.") for unit in units for name in names)
    return inside / len(units)


@contextmanager
def _without_parameters(trained: Trained) -> Iterator[None]:
    """Nothing asks for gradients of parameters, so that none are computed."""
    parameters = [one for one in trained.model.parameters() if one.requires_grad]
    for one in parameters:
        one.requires_grad_(False)
    try:
        yield
    finally:
        for one in parameters:
            one.requires_grad_(True)
