"""Stochastic depth against Huang et al. 2016 (arXiv 1603.09382), and what it leaves alone."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from ablate import InputError, Order, register, registry
from ablate.config.compose import prepare
from ablate.network.build import build_model, count_flops
from ablate.testing import images, network_config


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    prepare()


def small(rate: float = 0.5, rule: str = "paper", per: str = "batch", **changes: Any) -> Any:
    node = {"name": "resnet", "drop_path": rate, "drop_path_rule": rule, "drop_path_per": per}
    return build_model(network_config(backbone=node, **{"depth": 20, **changes}))


def endings(model: Any) -> list[Any]:
    return [unit.branch.drop_path for stage in model.stages for unit in stage]


def test_the_rate_grows_linearly_to_that_of_the_last_unit() -> None:
    kept = [one.survival for one in endings(small(0.5))]
    assert kept == pytest.approx([1 - unit / 9 * 0.5 for unit in range(1, 10)])


@pytest.mark.parametrize(("rule", "training", "tested"), [("paper", 1.0, 0.6), ("inverted", 1 / 0.6, 1.0)])
@pytest.mark.parametrize("per", ["batch", "image"])
def test_a_branch_is_dropped_with_its_rate_and_scaled_by_its_rule(
    rule: str, training: float, tested: float, per: str
) -> None:
    drop = endings(small(0.4, rule, per))[-1]
    x = images(50, 3) + 10  # no value is zero
    torch.manual_seed(0)
    seen = torch.stack([(drop(x) / x)[:, 0, 0, 0] for _ in range(200)]).round(decimals=4)  # (calls, images)
    assert seen.unique().tolist() == pytest.approx([0, training], abs=1e-4)
    assert float((seen == 0).float().mean()) == pytest.approx(0.4, abs=0.1 if per == "batch" else 0.02)
    alike = bool((seen == seen[:, :1]).all())
    assert alike is (per == "batch")
    torch.testing.assert_close(drop.eval()(x), x * tested)


@pytest.mark.parametrize("order", ["post", "pre", "bn_after_add", "relu_before_add", "relu_only_pre"])
def test_a_dropped_branch_leaves_the_shortcut(order: str) -> None:
    model = small(order={"name": order})
    for drop in endings(model):
        drop.survival = 0.0
    parts = small(0.0, order={"name": order}, shortcut={"name": "identity"})
    for stage in parts.stages:
        for unit in stage:
            unit.branch = Zeros()
    assert torch.equal(model(images()), parts(images()))


class Zeros(nn.Module):
    """A branch that gives nothing, in the shape that its unit's would have: the shortcut has it, too."""

    def forward(self, x: torch.Tensor) -> Any:
        return 0.0


def test_arms_start_equal_and_cost_the_same() -> None:
    plain, dropping = small(0.0), small(0.5)
    states = plain.state_dict(), dropping.state_dict()
    assert list(states[0]) == list(states[1])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert count_flops(plain, (1, 1, 8, 8)) == count_flops(dropping, (1, 1, 8, 8))


def test_a_rate_of_zero_is_the_network_without() -> None:
    model, plain = small(0.0), build_model(network_config(depth=20))
    assert [type(module) for module in model.modules()] == [type(module) for module in plain.modules()]


@pytest.mark.parametrize(("rule", "per"), list(itertools.product(["paper", "inverted"], ["batch", "image"])))
def test_it_trains_and_evaluates_without_chance(rule: str, per: str) -> None:
    model = small(0.5, rule, per, image={"channels": 1, "size": 8, "classes": 3})
    model(images()).square().sum().backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)
    model.eval()
    assert torch.equal(model(images()), model(images()))


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match=r"backbone\.drop_path is a rate from 0 to below 1, not"):
        small(rate)


def test_what_has_nothing_beside_its_branch_is_refused() -> None:
    with pytest.raises(InputError, match=r"drops all of the signal with shortcut=none"):
        small(0.5, shortcut={"name": "none"})


def test_units_without_a_branch_are_refused() -> None:
    with registry.isolated():

        @register("order", "bare")
        class Bare(Order):
            """Weight layers alone."""

            def unit(self, layers: Any, tail: Any, shape: Any) -> nn.Module:
                return nn.Sequential(*layers)

            def after_stem(self, channels: int) -> nn.Module:
                return nn.Identity()

            def after_stages(self, channels: int) -> nn.Module:
                return nn.Identity()

        with pytest.raises(InputError, match="needs units with a sequence `branch`; those of order=bare have none"):
            small(0.5, order={"name": "bare"})
