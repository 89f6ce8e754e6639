"""The base of every family of networks: stem, named stages, classifier, and auxiliary classifiers on the stages."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn

from ablate.errors import InputError, unknown
from ablate.interfaces.parts import Parts
from ablate.interfaces.recompute import recomputed

Listed = Literal["after_stages", "after_tap"]


class Aux(abc.ABC):
    """Auxiliary classifiers, trained beside the main one. Built once a network, as `Aux(parts, *, at, weight, …)`.

    Args:
        parts: the network's parts.
        at: the stages behind which they stand; None for those that the network's source names.
        weight: of each auxiliary loss, added to the main one.

    Raises:
        InputError: the weight is no number from 0 on, or a stage is named twice.
    """

    def __init__(self, parts: Parts, at: Sequence[str] | None, weight: float) -> None:
        if not (weight >= 0 and math.isfinite(weight)):
            raise InputError(f"aux.weight must be a number from 0 on, not {weight:g}")
        if at is not None and len(set(at)) < len(at):
            raise InputError(f"aux.at names a stage twice: {', '.join(at)}")
        self.parts = parts
        self.at = at
        self.weight = weight

    @abc.abstractmethod
    def head(self, in_channels: int) -> nn.Module:
        """A classifier (N, in_channels, H, W) -> (N, classes) logits."""


class Backbone(nn.Module):
    """A network: (N, C, H, W) -> (N, classes) logits. Built as `Backbone(parts, *, options)`.

    A family sets `stem`, adds its stages, sets `final` if anything stands between the last stage and the classifier,
    calls `attach_aux`, and sets `head`, in the order in which its reference lists the weights.

    Attributes:
        stem: what stands before the first stage.
        stages: the stages by name; behind each of them an auxiliary classifier can stand.
        final: what stands between the last stage and the classifier.
        head: the classifier.
        aux_weight: of each auxiliary loss.
        checkpoint_blocks: the stages' activations are computed again in the backward pass instead of kept; whoever
            builds the network for training sets it.
    """

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.stem: nn.Module = nn.Identity()
        self.stages = nn.Sequential()
        self.final: nn.Module = nn.Identity()
        self.head: nn.Module
        self.aux_weight = 0.0
        self.checkpoint_blocks = False
        self._channels: dict[str, int] = {}
        self._aux: dict[str, str] = {}

    @property
    def taps(self) -> dict[str, int]:
        """The channels behind each stage, by the stage's name, from first to last."""
        return dict(self._channels)

    @property
    def aux_heads(self) -> dict[str, nn.Module]:
        """The auxiliary classifiers by the stage that each stands behind, from first to last."""
        return {tap: self.get_submodule(self._aux[tap]) for tap in self._channels if tap in self._aux}

    def add_stage(self, name: str, module: nn.Module, channels: int) -> None:
        """Append a stage.

        Args:
            name: how `aux.at` and the state_dict call it.
            module: (N, C_in, H, W) -> (N, channels, H', W').
            channels: of its output.
        """
        self.stages.add_module(name, module)
        self._channels[name] = channels

    def attach_aux(self, parts: Parts, default: Sequence[str] = (), listed: Listed = "after_stages") -> None:
        """Hang the chosen auxiliary classifiers behind their stages; call it after the last `add_stage`.

        Args:
            parts: the network's parts.
            default: the stages that the network's source names, for `aux.at=null`.
            listed: where their weights stand in the state_dict: behind all stages, or each behind its own.

        Raises:
            InputError: `aux.at` names a stage that does not exist, or nothing says where they stand.
        """
        aux = cast("Aux | None", parts.make("aux"))
        if aux is None:
            return
        at = default if aux.at is None else aux.at
        stages = ", ".join(self._channels)
        if not at:
            raise InputError(f"aux={parts.config['aux']['name']} stands behind no stage; set aux.at, stages: {stages}")
        for tap in at:
            if tap not in self._channels:
                raise unknown("stage in aux.at", tap, self._channels)
        self.aux_weight = aux.weight
        # In the order of the stages, whatever that of `aux.at`: two ways to write one choice give one network.
        heads = {tap: aux.head(channels) for tap, channels in self._channels.items() if tap in at}
        if listed == "after_stages":
            self.aux = nn.ModuleDict(heads)
            self._aux = {tap: f"aux.{tap}" for tap in heads}
        else:
            self._list_behind_taps(heads)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Logits (N, classes); in training mode with auxiliary classifiers also a list of theirs."""
        heads = self.aux_heads if self.training else {}
        recompute = self.checkpoint_blocks and self.training and torch.is_grad_enabled()
        logits = []
        x = self.stem(x)
        # By name, and not all children of `stages`: under `after_tap` the auxiliary classifiers stand among them.
        for name in self._channels:
            stage = getattr(self.stages, name)
            x = recomputed(stage, x) if recompute else stage(x)
            if name in heads:
                logits.append(heads[name](x))
        main: Tensor = self.head(self.final(x))
        return (main, logits) if logits else main

    def _list_behind_taps(self, heads: dict[str, nn.Module]) -> None:
        stages = dict(self.stages.named_children())
        self.stages = nn.Sequential()
        for name, stage in stages.items():
            self.stages.add_module(name, stage)
            if name in heads:
                self.stages.add_module(f"{name}_aux", heads[name])
                self._aux[name] = f"stages.{name}_aux"
