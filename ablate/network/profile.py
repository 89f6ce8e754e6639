"""What a config's network is and costs, known without training it or holding its weights.

One function builds a network on the meta device, and one remembers what was found: plans, certificates, matched arms,
estimates of memory and time, and the IDs of cells all rest on it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from ablate import registry
from ablate.config.code import fingerprint
from ablate.config.roles import network_keys, shape_text
from ablate.errors import InputError
from ablate.registry.blame import blaming
from ablate.system.files import write_json

if TYPE_CHECKING:
    from torch import Tensor

    from ablate.interfaces.data import DataSet

VERSION = 3  # of what is kept; a change makes the kept ones worthless


@dataclass(frozen=True)
class Profile:
    """What is known of a cell's network without training it.

    Attributes:
        params: trainable parameters.
        flops: multiply-adds of a forward pass of one image.
        layers: modules that hold no others.
        uses: what of a config's parts and sizes it asks for while it is built, such as `norm` or `depth`.
        receptive_field: pixels of the image, along the longer side, that one pixel of its last map sees; None where
            that is the whole image.
    """

    params: int
    flops: int
    layers: int = 0
    uses: tuple[str, ...] = ()
    receptive_field: int | None = None

    @property
    def static(self) -> dict[str, int]:
        """The metrics that need no training (`ablate.analysis.metrics.STATIC`), as far as they have values."""
        known = {"params": self.params, "flops": self.flops}
        return known if self.receptive_field is None else known | {"receptive_field": self.receptive_field}


def profile(config: Mapping[str, Any]) -> Profile:
    """Size, cost and parts of a config's network, for the images of its data set.

    Found out once for all cells of one shape, and kept in the user's cache folder for the commands to come.

    Raises:
        InputError: the network cannot be built so.
    """
    return _profile(shape_text(config), fingerprint(config))


class MetaNetwork:
    """A config's network on the meta device: it has shapes, and nothing is computed.

    Args:
        config: composed or frozen.

    Attributes:
        model: in training mode.
        data: the data set that it is for.

    Raises:
        InputError: the network cannot be built so.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        # Not at the top: torch takes seconds to import, and a plan whose networks are all known does without it.
        import torch

        from ablate.network.build import Noted, build_model

        self.config = Noted(config)
        with blaming(config, "building and running the network"):
            self.data: DataSet = registry.build("data", config["data"])
            with torch.device("meta"):
                self.model = build_model(self.config, self.data).train()
        self.uses = tuple(key for key in network_keys() if key in self.config.read)

    def refuse_overwriting(self) -> None:
        """Refuse a part that changes in place what others read.

        Raises:
            InputError: there is one.
        """
        from ablate.network.overwriting import may_overwrite, refuse_overwriting

        if may_overwrite(self.model, self.config):
            refuse_overwriting(self.model, self.config, self.data.channels, self.data.size)

    @cached_property
    def params(self) -> int:
        """Trainable parameters."""
        from ablate.network.build import count_parameters

        return count_parameters(self.model)

    @cached_property
    def flops(self) -> int:
        """Multiply-adds of a forward pass of one image."""
        from ablate.network.build import count_flops

        with blaming(self.config, "building and running the network"):
            return count_flops(self.model, (1, self.data.channels, *self.data.size))

    @cached_property
    def receptive_field(self) -> int | None:
        """Pixels of the image that one pixel of the last map sees; None for the whole image."""
        from ablate.network.describe import last_receptive_field

        return last_receptive_field(self.model, (self.data.channels, *self.data.size))

    @property
    def layers(self) -> int:
        """Modules that hold no others."""
        return sum(not any(module.children()) for module in self.model.modules())

    @cached_property
    def step_bytes(self) -> int:
        """Bytes of weights, gradients, optimiser state, and of all that a step keeps for its backward pass.

        Under bf16 what is kept has half the bytes.
        """
        import torch

        from ablate.network.loss import training_loss

        with torch.device("meta"):
            images = torch.empty(self.data.batch_size, self.data.channels, *self.data.size)
            labels = torch.empty(self.data.batch_size, dtype=torch.int64)
        optimizer = registry.build("optim", self.config["optim"]).build(self.model)
        held = [*self.model.parameters(), *self.model.buffers()]
        saved: dict[int, int] = {}
        kept: list[Tensor] = []

        def keep(tensor: Tensor) -> Tensor:
            # By storage: several operations save one map, or views of it, and memory holds it once.
            saved[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
            kept.append(tensor)  # else another tensor could be made in its place
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = training_loss(self.model, images, labels)
        # A convolution saves its weights and its input, too; these are counted below.
        for tensor in (*held, images, labels):
            saved.pop(tensor.untyped_storage()._cdata, None)
        loss.backward()
        # On the meta device too: only the optimiser itself knows what state it keeps for each parameter.
        optimizer.step()
        state = [one for slot in optimizer.state.values() for one in slot.values() if isinstance(one, torch.Tensor)]
        gradients = [one.grad for one in self.model.parameters() if one.grad is not None]
        # Autocast is not run here, since the meta device has none: single precision was saved.
        width = 2 if self.config["trainer"]["precision"] == "bf16" else 1
        return _bytes([*held, *gradients, *state, images, labels]) + sum(saved.values()) // width


def split_sizes(node: Mapping[str, Any]) -> tuple[int, int] | None:
    """Images in the training and in the test split of a data set, read only where its plugin does not say.

    Args:
        node: the config's `data`.

    Returns:
        None where nothing says it and the data is not here.

    Raises:
        InputError: what is here is broken, or is not what a data set is to give.
    """
    from ablate.interfaces.splits import load_splits

    data: DataSet = registry.build("data", node)
    # Most sets declare it: a plan then needs no data on this machine.
    if data.samples is not None:
        return data.samples
    if not data.look():
        return None
    try:
        data.check()
    except InputError:
        return None
    with blaming({"data": node}, "loading the data"):
        splits = load_splits(data)
    return len(splits.train.labels), len(splits.test.labels)


@cache
def _profile(shape: str, code: str) -> Profile:
    """`code` tells apart what plugins of one name have made."""
    path = _file(shape, code)
    known = _read(path)
    if known is None:
        # From the text and not from the caller's config: what is kept can depend on nothing else than its key.
        network = MetaNetwork(json.loads(shape))
        network.refuse_overwriting()
        known = Profile(network.params, network.flops, network.layers, network.uses, network.receptive_field)
        _keep(path, known)
    return known


def _file(shape: str, code: str) -> Path:
    name = hashlib.sha256(f"{VERSION}\n{code}\n{shape}".encode()).hexdigest()[:20]
    return platformdirs.user_cache_path("ablate") / "profiles" / f"{name}.json"


def _read(path: Path) -> Profile | None:
    """What was kept; None where it is not whole, since it can be found out again."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        field = plain["receptive_field"]
        sizes = int(plain["params"]), int(plain["flops"]), int(plain["layers"])
        return Profile(*sizes, tuple(map(str, plain["uses"])), None if field is None else int(field))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, known: Profile) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, asdict(known))
    except (OSError, InputError):
        return  # where nothing can be kept, networks are built each time


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
