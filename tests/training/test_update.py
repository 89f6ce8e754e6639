"""An update changes parameters and state as the optimiser's own step does, to the last bit."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ablate.training.update import FusedUpdate, build_update


class Forked(nn.Module):
    """A part of it takes part in some steps only."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3))
        self.side = nn.Linear(16, 3)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor, *, side: bool) -> Tensor:
        logits: Tensor = self.body(images)
        return logits + self.side(images.flatten(1)) if side else logits


def groups(model: nn.Module, **options: Any) -> list[dict[str, Any]]:
    matrices = [one for one in model.parameters() if one.ndim > 1]
    vectors = [one for one in model.parameters() if one.ndim <= 1]
    return [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, **options}]


def trained(optimizer: torch.optim.Optimizer, model: Forked, update: Any, sides: list[bool]) -> None:
    random = torch.Generator().manual_seed(1)
    for number, side in enumerate(sides):
        for group in optimizer.param_groups:
            group["lr"] = 0.1 / (1 + number)
        optimizer.zero_grad()
        model(torch.randn(5, 1, 4, 4, generator=random), side=side).square().mean().backward()
        update()


@pytest.mark.parametrize(
    "options",
    [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"momentum": 0.0}, {"momentum": 0.5, "dampening": 0.1}],
)
@pytest.mark.parametrize("sides", [[True] * 4, [False] * 3, [True, False, True, False]])
def test_fused_sgd_is_updated_by_its_kernel_alone(options: dict[str, Any], sides: list[bool]) -> None:
    one = Forked()
    same = copy.deepcopy(one)
    first, second = (torch.optim.SGD(groups(model), lr=0.1, fused=True, **options) for model in (one, same))
    update = build_update(second)
    assert isinstance(update, FusedUpdate)
    trained(first, one, first.step, sides)
    trained(second, same, update, sides)
    for name, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[name]), name
    expected, found = first.state_dict()["state"], second.state_dict()["state"]
    assert expected.keys() == found.keys()
    for index, slot in expected.items():
        assert slot.keys() == found[index].keys()
        for value, other in zip(slot.values(), found[index].values(), strict=True):
            assert value is other is None or torch.equal(value, other)


@pytest.mark.parametrize("nesterov", [True, False])
def test_a_part_that_joins_later_begins_its_own_momentum(nesterov: bool) -> None:
    one = Forked()
    same = copy.deepcopy(one)
    reference = torch.optim.SGD(groups(one), lr=0.1, momentum=0.9, nesterov=nesterov)
    fused = torch.optim.SGD(groups(same), lr=0.1, momentum=0.9, nesterov=nesterov, fused=True)
    sides = [False, False, True, True, False, True]
    trained(reference, one, reference.step, sides)
    trained(fused, same, build_update(fused), sides)
    for name, value in one.state_dict().items():
        torch.testing.assert_close(same.state_dict()[name], value, msg=name)
    assert len(fused.state_dict()["state"]) == len(list(one.parameters()))


def test_it_takes_the_state_that_was_loaded_last() -> None:
    one = Forked()
    same = copy.deepcopy(one)
    first, second = (torch.optim.SGD(groups(model), lr=0.1, momentum=0.9, fused=True) for model in (one, same))
    update = build_update(second)
    trained(second, same, update, [True])
    same.load_state_dict(one.state_dict())
    second.load_state_dict(first.state_dict())
    trained(first, one, first.step, [True, True])
    trained(second, same, update, [True, True])
    for name, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[name]), name


def others(model: nn.Module) -> dict[str, torch.optim.Optimizer]:
    class Own(torch.optim.SGD):
        pass

    told = torch.optim.SGD(groups(model), lr=0.1, fused=True)
    told.register_step_post_hook(lambda *arguments: None)
    return {
        "one operation at a time": torch.optim.SGD(groups(model), lr=0.1),
        "fused in part": torch.optim.SGD(groups(model, fused=False), lr=0.1, fused=True),
        "of another kind": torch.optim.AdamW(groups(model), lr=0.1, fused=True),
        "derived from it": Own(groups(model), lr=0.1, fused=True),
        "with a hook": told,
    }


@pytest.mark.parametrize("kind", others(Forked()))
def test_every_other_optimiser_takes_its_own_step(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = others(Forked())[kind]
    steps: list[str] = []
    monkeypatch.setattr(optimizer, "step", lambda: steps.append(kind))
    update = build_update(optimizer)
    assert not isinstance(update, FusedUpdate)
    update()
    assert steps == [kind]


def test_fused_sgd_of_pytorch_still_needs_it() -> None:
    """Where this fails, PyTorch has learnt it: ablate/training/update.py says what can go then."""
    first, late = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([first, late], lr=0.1, momentum=0.9, fused=True)
    first.grad = torch.ones(3)
    optimizer.step()
    late.grad = torch.ones(3)
    with pytest.raises(TypeError, match="expected Tensor"):
        optimizer.step()
