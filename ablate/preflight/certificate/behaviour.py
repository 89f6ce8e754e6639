"""Whether two networks with the same weights compute the same."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from ablate.network.loss import training_loss
from ablate.preflight.certificate.form import CANNOT_TELL, DIFFER, SAME
from ablate.preflight.certificate.sharing import SEED, counterparts
from ablate.system.streams import generator, stream_seed

# Largest relative difference that still counts as none: a few units in the last place of single precision. Parts that
# compute the same in the same order differ by nothing at all.
TOLERANCE = 1e-6
# A tensor is held against its own largest value, or this share of its group's, where all of it is rounding (the
# gradient of a bias in front of a norm).
FLOOR = 1e-3
SMALL_SIDE = 64  # images up to this many pixels wide are cheap
BATCH, LARGE_BATCH = 8, 4  # a norm over a batch of two knows two values only

Group = dict[str, Tensor]
Pair = tuple[Tensor | None, Tensor | None]


@dataclass(frozen=True)
class Behaviour:
    """What a network makes of a fixed batch: groups of tensors, by name within each."""

    groups: dict[str, Group]


def fixed_batch(channels: int, size: tuple[int, int], classes: int) -> tuple[Tensor, Tensor]:
    """Images (N, channels, height, width), standard normal, and labels (N,): the same at every call."""
    count = BATCH if max(size) <= SMALL_SIDE else LARGE_BATCH
    stream = generator(SEED, "certificate", "batch", channels, *size, classes)
    images = torch.randn(count, channels, *size, generator=stream)
    return images, torch.randint(classes, (count,), generator=stream)


def behaviour(model: nn.Module, images: Tensor, labels: Tensor) -> Behaviour:
    """One training step's outputs, loss, gradients and running statistics, and then the logits in eval mode.

    Whatever the network draws (dropout) comes from one seed. Before eval mode, norms take their running statistics
    from this batch alone, so that a deep network's values stay in range.

    Args:
        model: changed: it has gradients and other statistics afterwards.
        images: (N, C, H, W).
        labels: (N,).
    """
    outputs: list[Tensor] = []
    # By a hook, since `training_loss` gives the loss alone, in which two different outputs may come to the same.
    handle = model.register_forward_hook(lambda module, inputs, output: outputs.extend(_flat(output)))
    model.train()
    with _fixed_noise():
        loss = training_loss(model, images, labels)
        loss.backward()
    handle.remove()
    # Taken now: the pass that follows changes them.
    statistics = {name: buffer.detach().clone() for name, buffer in model.named_buffers() if buffer.is_floating_point()}
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    # The same noise in both networks here too, whatever each has drawn in its training step.
    with torch.no_grad(), _fixed_noise():
        _take_statistics_of_batch(model, images)
        logits = model.eval()(images)
    return Behaviour(
        {
            "training outputs": {str(place): logits.detach() for place, logits in enumerate(outputs)},
            "loss": {"loss": loss.detach()},
            "gradients": gradients,
            "running statistics": statistics,
            "evaluation outputs": {"0": logits},
        }
    )


@dataclass(frozen=True)
class Comparison:
    """`outcome` is `same`, `differ` or, with the reason in `note`, `cannot tell`; `differences` as in `Evidence`."""

    outcome: str
    differences: dict[str, float | None]
    note: str = ""


def compare(first: Behaviour, second: Behaviour, shared: Mapping[str, str], *, same_modules: bool) -> Comparison:
    """Hold two behaviours against each other.

    Values that are not finite tell nothing, unless the networks have the same modules and the same such values.

    Args:
        first: of the baseline.
        second: of the arm.
        shared: parameters in common, as `counterparts` gives them.
        same_modules: whether the two consist of the same modules.
    """
    differences: dict[str, float] = {}
    unclear: list[str] = []
    for what, ours in first.groups.items():
        theirs = second.groups[what]
        # Gradients pair up as the parameters whose values were shared; outputs and statistics by their own names.
        names = shared if what == "gradients" else counterparts(ours, theirs)
        pairs = _pairs(ours, theirs, names)
        difference = _largest(pairs)
        if math.isnan(difference):
            # Two overflows look alike whatever led to them, unless equal modules give equal bits.
            unclear += [] if same_modules and _identical(pairs) else [what]
        else:
            # The largest and not a mean: one value of a million that differs is a difference.
            differences[what] = difference
    plain = {what: value if math.isfinite(value) else None for what, value in differences.items()}
    if max(differences.values(), default=0.0) > TOLERANCE:
        return Comparison(DIFFER, plain)
    if unclear:
        return Comparison(CANNOT_TELL, plain, f"{', '.join(unclear)} not finite")
    return Comparison(SAME, plain)


def _largest(pairs: Sequence[Pair]) -> float:
    """The largest relative difference; infinite where only one side has a value or is finite, NaN where neither is."""
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    # A parameter with a gradient on one side alone takes part in one of the networks and not in the other.
    if len(both) < len(pairs):
        return math.inf
    finite = [all(bool(tensor.isfinite().all()) for tensor in side) for side in zip(*both, strict=True)]
    if not all(finite):
        return math.inf if any(finite) else math.nan
    scales = [max(_size(a), _size(b)) for a, b in both]
    # Divided by its own size, a gradient that is 0 but for rounding would differ by 100 %.
    least = max([FLOOR * scale for scale in scales], default=0.0)
    shares = zip(both, (max(scale, least) for scale in scales), strict=True)
    return max((_size(a - b) / scale for (a, b), scale in shares if scale > 0), default=0.0)


def _pairs(ours: Group, theirs: Group, names: Mapping[str, str]) -> list[Pair]:
    """The shared tensors in pairs; None where one side has no such tensor, such as a parameter without a gradient."""
    pairs = [(ours.get(name), theirs.get(other)) for other, name in names.items()]
    return [(a, b) for a, b in pairs if a is not None or b is not None]


def _identical(pairs: Sequence[Pair]) -> bool:
    return all(a is not None and b is not None and torch.equal(_plain(a), _plain(b)) for a, b in pairs)


def _plain(tensor: Tensor) -> Tensor:
    """Bits, so that one NaN equals another."""
    return tensor.contiguous().flatten().view(torch.uint8)


def _size(tensor: Tensor) -> float:
    return float(tensor.abs().max()) if tensor.numel() else 0.0


def _flat(output: Tensor | tuple[Tensor, list[Tensor]]) -> list[Tensor]:
    return [output] if isinstance(output, Tensor) else [output[0], *output[1]]


def _take_statistics_of_batch(model: nn.Module, images: Tensor) -> None:
    norms = [module for module in model.modules() if isinstance(module, _NormBase)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        # The running statistics become those of this pass. One pass does for any depth: in training mode each norm
        # already normalises by its batch, so the norms behind it see what they will see in eval mode.
        norm.momentum = 1.0
    model(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


@contextmanager
def _fixed_noise() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(SEED, "certificate", "noise"))
        yield
