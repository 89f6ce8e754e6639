"""Modules that work in place: refused where something else still reads what they have overwritten.

Under `order=pre` a shortcut reads the tensor that the activation before the first weight layer gets. An activation that
overwrites it makes another network of it, without a word, and so does any part that changes what it is given: by
`inplace=True`, or by an operation such as `x.add_(1)`. Where nothing reads the tensor afterwards the two are one
function, and both may be trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from ablate import registry
from ablate.errors import InputError
from ablate.network.loss import training_loss
from ablate.registry.blame import is_own, named
from ablate.registry.kinds import KINDS

IMAGES = 2  # a norm over a batch needs more than one
REMEDY = "build it without inplace=True, or let it give a new tensor"


def may_overwrite(model: nn.Module, config: Mapping[str, Any]) -> bool:
    """Whether a network has to be looked at: a module says that it works in place, or a part is not built in.

    Those that are built in are held against it by their conformance suites.
    """
    return bool(_own_parts(config)) or any(getattr(module, "inplace", False) for module in model.modules())


def refuse_overwriting(model: nn.Module, config: Mapping[str, Any], channels: int, size: tuple[int, int]) -> None:
    """Refuse a network in which a module overwrites what is read afterwards.

    Args:
        model: on the meta device, where nothing is computed; left in training mode.
        config: of the network.
        channels: of the images.
        size: height and width of the images.

    Raises:
        InputError: there is such a module; says which, what reads after it, and which plugins may be meant.
    """
    with torch.device("meta"):
        images = torch.empty(IMAGES, channels, *size)
        labels = torch.empty(IMAGES, dtype=torch.int64)
    for training in (False, True):
        with torch.set_grad_enabled(training), torch.device("meta"):
            fault = _fault(model.train(training), images, labels)
        model.zero_grad()
        if fault is not None:
            raise InputError(f"{fault}; {REMEDY}{_suspects(config)}")


def _fault(model: nn.Module, images: Tensor, labels: Tensor) -> str | None:
    """What is wrong, of a forward pass, and where gradients are computed of a backward pass too."""
    watch, version = Watch(model), images._version
    try:
        with watch.hooks(), watch:
            loss = training_loss(model, images, labels)
        if watch.fault is None and loss.requires_grad:
            loss.backward()
    except Exception as error:
        # Autograd keeps some of what it needs in the tensors themselves. Any other trouble, as of a module that looks
        # at values, which there are none of here, is not what is looked for.
        if "in-place operation" in str(error) or "inplace operation" in str(error):
            such = f", such as {watch.last}," if watch.last else ""
            text = f"a module{such} changes in place what the gradients are computed from ({_first(error)})"
            return watch.fault or text
    if watch.fault is None and images._version != version:
        return f"{watch.last or 'the network'} changes in place the images that it is given"
    if watch.fault is None and watch.last and getattr(model, "checkpoint_blocks", False):
        return f"{watch.last} changes its input in place, which trainer.checkpoint_blocks=true computes from again"
    return watch.fault


class Watch(TorchDispatchMode):
    """Notes which modules change a tensor that they are given, and what reads that tensor afterwards.

    Args:
        model: its modules are watched while it runs inside this context and inside `hooks()`.

    Attributes:
        fault: the first such reading, in words; None where there was none.
        last: the module that last changed its input, in words; empty where none did.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.fault: str | None = None
        self.last = ""
        self._model = model
        self._names = {module: name for name, module in model.named_modules()}
        self._running: list[tuple[nn.Module, list[tuple[Tensor, int]]]] = []
        self._overwritten: MutableMapping[Tensor, str] = WeakTensorKeyDictionary()

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Watch every module, as long as this context lasts."""
        with ExitStack() as hooks:
            for module in self._names:
                hooks.enter_context(module.register_forward_pre_hook(self._before, with_kwargs=True))
                hooks.enter_context(module.register_forward_hook(self._after, with_kwargs=True))
            yield

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._look((args, kwargs))
        return func(*args, **(kwargs or {}))

    def _before(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._look((args, kwargs))
        given = [(one, one._version) for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        self._running.append((module, given))

    def _after(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        _, given = self._running.pop()
        changed = [tensor for tensor, version in given if tensor._version != version]
        for tensor in changed:
            # The innermost module that changes it is named: a sequence does what its first layer does.
            if tensor not in self._overwritten:
                self._overwritten[tensor] = self.last = self._described(module)
        # What works in place gives back the tensor that it was given. Behind it stands a view, so that what comes from
        # it and what still reads the old one can be told apart.
        return tree_map(self._viewed, output)

    def _look(self, given: Any) -> None:
        if self.fault is not None:
            return
        for one in tree_leaves(given):
            if isinstance(one, Tensor) and one in self._overwritten:
                reader = self._described(self._running[-1][0]) if self._running else "the loss"
                self.fault = f"{self._overwritten[one]} changes its input in place, which {reader} reads afterwards"
                return

    def _viewed(self, one: Any) -> Any:
        if not isinstance(one, Tensor) or one not in self._overwritten:
            return one
        with _disable_current_modes():  # this is no reading
            return one.view_as(one)

    def _described(self, module: nn.Module) -> str:
        name = self._names.get(module)
        return f"{type(module).__name__} at {name}" if name else "the network"


def _own_parts(config: Mapping[str, Any]) -> list[registry.Entry]:
    """The parts of a network that are not built in."""
    chosen = [(kind.name, config[kind.group]["name"]) for kind in KINDS.values() if kind.makes_network]
    return [entry for entry in (registry.lookup(*one) for one in chosen) if is_own(entry)]


def _suspects(config: Mapping[str, Any]) -> str:
    """The parts that are not built in, with their files."""
    names = [named(entry) for entry in _own_parts(config)]
    return f" (not built in: {'; '.join(names)})" if names else ""


def _first(error: Exception) -> str:
    return " ".join(str(error).split()).partition(". ")[0]
