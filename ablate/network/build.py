"""A network from a config: its shape, its parts, its initial values, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, cast

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from ablate import registry
from ablate.errors import InputError
from ablate.interfaces.parts import Init, Parts
from ablate.network.memory_format import replace_narrow_pointwise
from ablate.network.multiply_adds import MultiplyAdds
from ablate.system.streams import generator, stream_seed


class ImageSource(Protocol):
    """What a network needs to know of a data set."""

    channels: int
    size: tuple[int, int]
    classes: int


class Noted(Mapping[str, Any]):
    """A config that notes which of its keys are read, and so which of its choices something asks for.

    Attributes:
        read: the keys at its top that were read so far.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.read: set[str] = set()
        self._config = config

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return self._config[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._config)

    def __len__(self) -> int:
        return len(self._config)


def build_model(cfg: Mapping[str, Any], data: ImageSource | None = None) -> nn.Module:
    """The network that a config describes, (N, C, H, W) -> (N, classes) logits, with its initial values.

    Every initial value is drawn from the seed, the parameter's full name and its shape, and from nothing else: two
    networks that share a parameter start with the same values in it. Under `torch.device("meta")` nothing is drawn.

    Args:
        cfg: the composed config.
        data: the data set to train on, whose image shape wins. Without it the config's `image` says the shape, and
            where that is null, the data set that `cfg.data` names.

    Raises:
        InputError: an unknown plugin or option, or a combination of parts that makes no sense.
    """
    config = plain(cfg)
    channels, size, classes = image_shape(config, data)
    if channels < 1 or classes < 2:
        raise InputError(f"a classifier needs an image channel and two classes, not {channels} and {classes}")
    parts = Parts(config, channels, size, classes)
    if torch.get_default_device().type == "meta":
        return _backbone(parts)
    seed = int(config["seed"])
    # On the CPU whatever trains it: a GPU's generators give other numbers, and a cell's start must not depend on where
    # it runs. The stream is for modules that draw while they are constructed.
    with _on_cpu(), _seeded(seed, "constructor"):
        model = _backbone(parts)
        replace_narrow_pointwise(model)
        initialise(model, registry.build("init", config["init"]), seed)
    return model


@torch.no_grad()
def initialise(model: nn.Module, init: Init, seed: int) -> None:
    """Draw the values of every parameter, each from its own stream.

    What `init` says nothing about comes from its module's `reset_parameters`, under a stream of the module's name, or
    else stays as the constructor made it.
    """
    modules, parameters = dict(model.named_modules()), dict(model.named_parameters())

    def fill(name: str) -> bool:
        parameter = parameters[name]
        # One stream per parameter: with a shared one, a layer more in one arm would shift the draws of all behind it.
        stream = generator(seed, "init", name, *parameter.shape)
        return init.fill(modules[name.rpartition(".")[0]], name, parameter, stream)

    unknown = dict.fromkeys(name.rpartition(".")[0] for name in parameters if not fill(name))
    for prefix in unknown:
        reset = getattr(modules[prefix], "reset_parameters", None)
        if callable(reset):
            with _seeded(seed, "reset", prefix):
                reset()
            for name in parameters:
                if name.startswith(f"{prefix}."):
                    # `reset_parameters` has drawn all of the module, what `init` had filled before included.
                    fill(name)


def count_parameters(model: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def count_flops(model: nn.Module, input_shape: Sequence[int]) -> int:
    """Multiply-adds of one forward pass in eval mode, the papers' "FLOPs": a multiplication with its addition is one.

    What counts is said by `MultiplyAdds`. The pass runs where the model is: build it under `torch.device("meta")` and
    nothing is computed.

    Args:
        model: it is left as it was.
        input_shape: (N, C, H, W).
    """
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    # In eval mode, which auxiliary classifiers sit out: papers do not count them.
    with eval_mode(model), torch.no_grad(), MultiplyAdds(model) as counter:
        model(torch.zeros(*input_shape, device=device))
    return counter.total


def image_shape(cfg: Mapping[str, Any], data: ImageSource | None = None) -> tuple[int, tuple[int, int], int]:
    """Channels, (height, width) and classes: from `data`, else from `image`, else from the data set of the config."""
    config = plain(cfg)
    image = config.get("image") or {}
    channels, size, classes = (image.get(key) if data is None else None for key in ("channels", "size", "classes"))
    if channels is None or size is None or classes is None:
        source: ImageSource = data if data is not None else registry.build("data", config["data"])
        channels = source.channels if channels is None else channels
        size = source.size if size is None else size
        classes = source.classes if classes is None else classes
    # A config gives one number for square images, a data set both sides.
    height, width = (size, size) if isinstance(size, int) else size
    return channels, (height, width), classes


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """The network in eval mode, and each of its modules in its own mode again behind."""
    # Each by itself: a network may keep some of its norms frozen in eval mode, which `model.train()` would undo.
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def _backbone(parts: Parts) -> nn.Module:
    model = cast(nn.Module, parts.make("backbone"))
    backbone, aux = parts.config["backbone"]["name"], parts.config["aux"]["name"]
    if aux != "none" and not getattr(model, "aux_heads", {}):
        raise InputError(f"aux={aux}: backbone {backbone} has no stages for auxiliary classifiers; set aux=none")
    if parts.config.get("trainer", {}).get("checkpoint_blocks"):
        if not getattr(model, "stages", ()):
            raise InputError(f"trainer.checkpoint_blocks=true: backbone {backbone} has no stages to compute again")
        model.checkpoint_blocks = True  # type: ignore[assignment]
    return model


def plain(cfg: Mapping[str, Any]) -> Mapping[str, Any]:
    """The config as plain dictionaries, which a network of a thousand units reads much faster."""
    if isinstance(cfg, DictConfig):
        return cast("dict[str, Any]", OmegaConf.to_container(cfg, resolve=True))
    return cfg


def _on_cpu() -> AbstractContextManager[Any]:
    """Tensors are made on the CPU; where they are anyway, the context would cost a third of the time."""
    return nullcontext() if torch.get_default_device().type == "cpu" else torch.device("cpu")


@contextmanager
def _seeded(seed: int, *names: str) -> Iterator[None]:
    """Torch's global CPU generator set to a named stream, and given back as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(stream_seed(seed, *names))
        yield
