"""Matched controls: a knob of an arm, such as its width, is set so that its network costs as much as its baseline's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, FloatNode, IntegerNode, OmegaConf

from ablate.config.compose import node_at, with_values
from ablate.config.roles import shape_text
from ablate.errors import InputError
from ablate.network.profile import MetaNetwork
from ablate.study.arms import KNOB, Arm, Matched
from ablate.study.search import Knob, Search
from ablate.study.section import container

TOLERANCE = 0.02  # of the baseline's cost


class Matcher:
    """Matches arms with their baselines; a network that comes up twice in a plan is counted once."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], int] = {}

    def matched(self, arm: Arm, config: DictConfig, baseline: DictConfig) -> tuple[DictConfig, Matched]:
        """The config with the knob set, and how near that came.

        Args:
            arm: what to match, and the knob.
            config: of the arm at a point of the grid.
            baseline: of its baseline at the same point.

        Raises:
            InputError: the knob is no number, no value brings the cost within TOLERANCE, or a network cannot be built.
        """
        metric, name = str(arm.match), arm.knob or KNOB
        knob = _knob(name, config)
        # Of the baseline as matched itself at this point: its own knob may have been set by a search.
        target = self._target(arm, baseline, metric)
        value, cost = Search(
            knob, lambda value: self._cost(with_values(config, {name: value}), metric), target
        ).nearest()
        matched = Matched(metric, name, value, cost, target)
        if abs(matched.difference) > TOLERANCE:
            limit = f"{100 * TOLERANCE:g} %"
            raise InputError(
                f"no {name} brings its {metric} within {limit} of those of its baseline '{arm.baseline}': "
                f"the nearest is {name}={value:g} with {cost:,} against {target:,} ({100 * matched.difference:+.1f} %)"
            )
        return with_values(config, {name: value}), matched

    def _target(self, arm: Arm, baseline: DictConfig, metric: str) -> int:
        try:
            target = self._cost(baseline, metric)
        except InputError as error:
            raise InputError(f"its baseline '{arm.baseline}': {error}") from error
        if target == 0:
            raise InputError(f"its baseline '{arm.baseline}' has no {metric} to match")
        return target

    def _cost(self, config: DictConfig, metric: str) -> int:
        plain = container(config)
        key = shape_text(plain), metric
        if key not in self.known:
            self.known[key] = _network_cost(plain, metric)
        return self.known[key]


def _knob(name: str, config: DictConfig) -> Knob:
    node = node_at(config, name)
    # The value alone does not tell whether fractions are allowed: `width: 1` in a file is a whole number of a real
    # knob, which the node's type says.
    value = OmegaConf.select(config, name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number or (value is None and isinstance(node, IntegerNode | FloatNode))):
        raise InputError(f"the knob {name} is {value}, and it must be a number, such as {KNOB}")
    if value is not None and value <= 0:
        raise InputError(f"the knob {name} is {value:g}: a search starts from a number above 0")
    whole = isinstance(node, IntegerNode) or (isinstance(value, int) and not isinstance(node, FloatNode))
    return Knob(1 if value is None else value, whole)


def _network_cost(config: Mapping[str, Any], metric: str) -> int:
    """One cost alone: to count parameters takes a sixth of the time of both."""
    from torch import nn

    network = MetaNetwork(config)
    if metric == "params":
        return network.params
    for module in network.model.modules():
        if type(module) is nn.BatchNorm2d:  # it keeps the shape and counts nothing, and takes half of the time
            module.forward = nn.Identity().forward  # type: ignore[method-assign]
    return network.flops
