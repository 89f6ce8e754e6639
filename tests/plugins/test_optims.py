from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ablate import InputError, Optim, registry
from ablate.config.compose import prepare


def build(name: str, **options: Any) -> Optim:
    prepare()
    return registry.build("optim", {"name": name, **options})


class Net(nn.Module):
    """A weight, a bias, a norm, and a scalar gate."""

    def __init__(self) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        self.linear = nn.Linear(3, 2)
        self.norm = nn.BatchNorm1d(2)
        self.gate = nn.Parameter(torch.tensor(0.5))
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=random)

    def loss(self, step: int) -> torch.Tensor:
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        return (self.gate * self.norm(self.linear(x))).square().mean() + sum(p.sin().sum() for p in self.parameters())


def steps(optim: Optim, count: int = 5) -> Net:
    net = Net()
    optimizer = optim.build(net)
    for step in range(count):
        optimizer.zero_grad()
        net.loss(step).backward()
        optimizer.step()
    return net


def steps_by_hand(lr: float, momentum: float, decay: dict[str, float], *, nesterov: bool) -> Net:
    """v = m v + (g + d w);  w -= lr v, or with Nesterov  w -= lr (g + d w + m v)."""
    net = Net()
    velocity = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
    for step in range(5):
        net.zero_grad()
        net.loss(step).backward()
        for name, p in net.named_parameters():
            gradient = p.grad + decay[name] * p.data
            velocity[name] = momentum * velocity[name] + gradient
            p.data -= lr * (gradient + momentum * velocity[name] if nesterov else velocity[name])
    return net


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("decay_norm", [True, False])
def test_sgd_is_the_rule_of_the_papers(nesterov: bool, decay_norm: bool) -> None:
    ours = steps(build("sgd", lr=0.05, momentum=0.8, weight_decay=0.1, nesterov=nesterov, decay_norm=decay_norm))
    vectors = 0.1 if decay_norm else 0.0
    decay = dict.fromkeys(["linear.bias", "norm.weight", "norm.bias", "gate"], vectors) | {"linear.weight": 0.1}
    expected = steps_by_hand(0.05, 0.8, decay, nesterov=nesterov)
    for (name, one), other in zip(ours.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, msg=lambda text, name=name: f"{name}: {text}")


def test_the_defaults_of_sgd_are_those_of_he_et_al() -> None:
    (group,) = build("sgd").build(Net()).param_groups
    assert {key: group[key] for key in ("lr", "momentum", "weight_decay", "nesterov")} == {
        "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4, "nesterov": False,
    }  # fmt: skip


@pytest.mark.parametrize("decay_norm", [True, False])
def test_every_parameter_is_trained_once(decay_norm: bool) -> None:
    net = Net()
    groups = build("sgd", decay_norm=decay_norm).build(net).param_groups
    trained = [id(p) for group in groups for p in group["params"]]
    assert sorted(trained) == sorted(id(p) for p in net.parameters())


def test_a_network_of_vectors_only_needs_no_group_of_weights() -> None:
    groups = build("sgd", decay_norm=False).build(nn.BatchNorm2d(3)).param_groups
    assert [group["weight_decay"] for group in groups] == [0.0]


def test_adamw_is_torchs() -> None:
    ours = steps(build("adamw", lr=0.01, weight_decay=0.1))
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.1)
    for step in range(5):
        optimizer.zero_grad()
        net.loss(step).backward()
        optimizer.step()
    for one, other in zip(ours.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sgd", {"lr": -0.1}, "optim.lr=-0.1"),
        ("sgd", {"lr": float("nan")}, "optim.lr=nan"),
        ("sgd", {"weight_decay": -1e-4}, "optim.weight_decay=-0.0001"),
        ("sgd", {"momentum": 1.0}, "optim.momentum=1.0"),
        ("sgd", {"momentum": 0.0, "nesterov": True}, "for nesterov above 0"),
        ("adamw", {"lr": float("inf")}, "optim.lr=inf"),
    ],
)
def test_settings_that_make_no_sense_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(name, **options)
