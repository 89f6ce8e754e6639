"""Which parts of two recipes train a network differently: each is tried out, since an option may have no effect."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ablate import registry
from ablate.config.roles import has_effect, network_keys
from ablate.errors import InputError
from ablate.interfaces.data import Augment, DataSet, Evaluation, Samples, Split, Splits
from ablate.interfaces.splits import load_splits
from ablate.interfaces.training import Optim, Schedule
from ablate.network.profile import split_sizes
from ablate.preflight.certificate.sharing import SEED, counterparts
from ablate.system.streams import generator
from ablate.system.text import in_words
from ablate.training.resident import ResidentData

STEPS = 3  # momentum shows in the second step, and what builds on it in the third
LEAST_STEPS = 1000  # where the data is not here: the schedule is looked at as finely as this over the whole training
IMAGES = 256
SAME_SPREAD = 6.0  # standard errors of a spread within which two draws may come from one distribution

Config = Mapping[str, Any]


def recipe_changes(baseline: Config, arm: Config, difference: Iterable[str]) -> tuple[list[str], list[str]]:
    """The parts of the recipe, but for initial values and optimiser, that differ in effect; and what nothing can try.

    Args:
        baseline: its frozen config.
        arm: its frozen config.
        difference: the dotted keys that differ.
    """
    keys = list(difference)
    found: list[str] = []
    # What nobody can try out keeps an arm from being refused: it may well have an effect.
    unchecked = [key for key in keys if not _is_known(key)]
    for name, (tried, differs) in TRIALS.items():
        if any(_belongs(key, tried) for key in keys):
            try:
                found += [name] if differs(baseline, arm) else []
            except Exception as error:  # a plugin's: what it does in a cell is that cell's result
                unchecked.append(f"{name} ({reason(error)})")
    return found, unchecked


def reason(error: Exception) -> str:
    """An error in one line: that of wrong input as it stands, any other with its kind."""
    return " ".join(str(error).split()) if isinstance(error, InputError) else in_words(error)


def initial_values_differ(first: nn.Module, second: nn.Module) -> bool:
    """Whether parameters and buffers that two freshly built networks share start otherwise.

    What has one name in both comes from one stream and is equal to the bit, or differs. Under another name the draw is
    another one anyway: then the distributions count, as far as mean and spread show them.
    """
    for ours, theirs in (
        (dict(first.named_parameters()), dict(second.named_parameters())),
        (dict(first.named_buffers()), dict(second.named_buffers())),
    ):
        for other, name in counterparts(ours, theirs).items():
            same = torch.equal if other == name else _same_distribution
            if not same(ours[name].detach(), theirs[other].detach()):
                return True
    return False


def optimisers_differ(baseline: Mapping[str, Any], arm: Mapping[str, Any], model: nn.Module) -> bool:
    """Whether two optimisers move the parameters of a network otherwise, over a few steps with fixed gradients.

    Args:
        baseline: its node of the config.
        arm: its node.
        model: its parameters are replaced by small ones, of the same number of dimensions, in double precision.
    """
    paths = [_path(registry.build("optim", node), model) for node in (baseline, arm)]
    return not all(torch.equal(a, b) for a, b in zip(*paths, strict=True))


def _is_known(key: str) -> bool:
    """Whether a key is tried out here or by comparing outputs, or has no effect on what is trained."""
    tried = (*network_keys(), *TRIED_ELSEWHERE, *(one for one, _ in TRIALS.values()))
    return any(_belongs(key, one) for one in tried) or not has_effect(key)


def _belongs(key: str, part: str) -> bool:
    return key == part or key.startswith(f"{part}.")


def _path(optim: Optim, model: nn.Module) -> list[Tensor]:
    """Where the parameters are after each step, from the same start, at the rate that training sets."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Rules of optimisers act value by value or by a tensor's norm: two values a side show both. Dimensions
            # stay, since weight decay often spares vectors.
            shape = [min(2, side) for side in parameter.shape]
            parameter.data = _draw(shape, name, "start")
    optimizer = optim.build(model)
    found: list[Tensor] = []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            # As training does before each step, whatever rate `build` was left with.
            group["lr"] = optim.lr
        for name, parameter in model.named_parameters():
            parameter.grad = _draw(list(parameter.shape), name, "gradient", step)
        optimizer.step()
        found += [parameter.detach().clone() for parameter in model.parameters()]
    return found


def _draw(shape: Sequence[int], *names: str | int) -> Tensor:
    stream = generator(SEED, "certificate", "optimiser", *names)
    return torch.randn(list(shape), generator=stream, dtype=torch.float64)


def _same_distribution(a: Tensor, b: Tensor) -> bool:
    a, b = a.double().flatten(), b.double().flatten()
    # Constants, such as gains of 1, have no spread: they are equal or they are not.
    if len(a) < 2 or bool((a == a[0]).all()) or bool((b == b[0]).all()):
        return torch.equal(a, b)
    spread = min(float(a.std()), float(b.std()))
    # The standard error of a difference of two means of n values, sigma * sqrt(2 / n); that of two spreads is smaller.
    error = SAME_SPREAD * spread * math.sqrt(2 / len(a))
    return abs(float(a.mean() - b.mean())) <= error and abs(float(a.std() - b.std())) <= error


def _data_differs(baseline: Mapping[str, Any], arm: Mapping[str, Any]) -> bool:
    """Whether the images or labels differ, where more is set otherwise than the batch size and the folder."""
    first, second = (_data(node) for node in (baseline, arm))
    # One object, by `_data_of`: only the batch size or the way of getting the data differs.
    if first is second:
        return False
    if (first.channels, first.size, first.classes) != (second.channels, second.size, second.classes):
        return True
    ours, theirs = load_splits(first), load_splits(second)
    return any(_split_differs(a, b) for a, b in ((ours.train, theirs.train), (ours.test, theirs.test)))


def _split_differs(one: Split | Samples, other: Split | Samples) -> bool:
    """Whether a split has other images or labels.

    Raises:
        InputError: it has the same labels, and images that are read one by one; all of them would have to be.
    """
    if not torch.equal(one.labels, other.labels):
        return True
    if isinstance(one, Split) and isinstance(other, Split):
        return not torch.equal(one.images, other.images)
    raise InputError("the images are read from files one by one, and were not compared")


def _data(node: Mapping[str, Any]) -> DataSet:
    """The data set of a node, one object for all nodes that differ in nothing but the batch size and the incidental."""
    aside = ("batch_size", *registry.lookup("data", node["name"]).incidental)
    return _data_of(json.dumps({k: v for k, v in node.items() if k not in aside}, default=str))


@cache
def _data_of(text: str) -> DataSet:
    data: DataSet = registry.build("data", json.loads(text))
    return data


def _schedule_differs(baseline: Config, arm: Config) -> bool:
    """Whether any step has another factor; over training as a whole, where that is not as long in both."""
    return _factors(baseline) != _factors(arm)


def _factors(config: Config) -> list[float]:
    schedule: Schedule = registry.build("schedule", config["schedule"])
    epochs = int(config["trainer"]["epochs"])
    steps = epochs * _steps_per_epoch(config["data"])
    # Steps and not epochs: two schedules may agree at the start of every epoch and differ within.
    return [schedule.factor(step / steps, epochs * step / steps) for step in range(steps)]


def _steps_per_epoch(node: Mapping[str, Any]) -> int:
    samples = split_sizes(node)
    data: DataSet = registry.build("data", node)
    return LEAST_STEPS if samples is None else math.ceil(samples[0] / data.batch_size)


def _augmentation_differs(baseline: Config, arm: Config) -> bool:
    """Whether an epoch's draw changes a fixed batch otherwise."""
    data: DataSet = registry.build("data", arm["data"])
    pixels = torch.randint(256, (IMAGES, data.channels, *data.size), generator=generator(SEED, "certificate", "pixels"))
    splits = Splits(*[Split(pixels.to(torch.uint8), torch.zeros(IMAGES, dtype=torch.int64))] * 2)
    ours, theirs = (_augmented(registry.build("augment", config["augment"]), splits) for config in (baseline, arm))
    return not torch.equal(ours, theirs)


def _augmented(augment: Augment, splits: Splits) -> Tensor:
    # By the very feed of training, so that what is compared is what a network gets to see.
    feed = ResidentData(splits, augment, SEED, torch.device("cpu"))
    return feed.training_batch(feed.start_epoch(0))[0]


def _evaluation_differs(baseline: Config, arm: Config) -> bool:
    """Whether the network is shown something else of a fixed batch when it is measured."""
    data: DataSet = registry.build("data", arm["data"])
    both: list[Evaluation] = [registry.build("evaluation", config["evaluation"]) for config in (baseline, arm)]
    most = max(one.margin for one in both)
    # One batch with the larger margin, of which each evaluation gets the inner part: so both see the same pixels.
    shape = (2, data.channels, *(side + 2 * most for side in data.size))
    whole = torch.randn(*shape, generator=generator(SEED, "certificate", "views"))
    ours, theirs = (list(one.views(_inner(whole, most - one.margin))) for one in both)
    return len(ours) != len(theirs) or not all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def _inner(images: Tensor, less: int) -> Tensor:
    """Images without so many pixels on each side."""
    return images[:, :, less : images.shape[2] - less, less : images.shape[3] - less]


# What is tried out of a recipe: what it is called, the config key that it belongs to, and whether it differs in effect.
TRIALS: dict[str, tuple[str, Callable[[Config, Config], bool]]] = {
    "epochs": ("trainer.epochs", lambda one, other: one["trainer"]["epochs"] != other["trainer"]["epochs"]),
    "precision": ("trainer.precision", lambda one, other: one["trainer"]["precision"] != other["trainer"]["precision"]),
    "batch size": ("data.batch_size", lambda one, other: one["data"]["batch_size"] != other["data"]["batch_size"]),
    "data": ("data", lambda one, other: _data_differs(one["data"], other["data"])),
    "schedule": ("schedule", _schedule_differs),
    "augmentation": ("augment", _augmentation_differs),
    "evaluation": ("evaluation", _evaluation_differs),
    "start": ("start", lambda one, other: one.get("start") != other.get("start")),
}
TRIED_ELSEWHERE = ("init", "optim")  # on the networks that are built to compare their outputs
