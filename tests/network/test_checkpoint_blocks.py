"""Activation checkpointing: the same numbers as without it, from much less memory."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ablate
from ablate import InputError, Parts, register, registry
from ablate.config.compose import prepare
from ablate.network.build import build_model
from ablate.network.loss import training_loss
from ablate.testing import network_config
from tests.cells import fit, tiny_cell, training_of
from tests.memory import Memory

# Noise, buffers, and classifiers behind the stages.
CASES = {
    "norms": {},
    "dropout": {"shortcut": {"name": "dropout"}},
    "stochastic depth": {"backbone": {"name": "resnet", "drop_path": 0.5}},
    "aux": {"aux": {"name": "googlenet", "at": ["stage1", "stage2"]}},
    "pre-activation": {"order": {"name": "pre"}, "shortcut": {"name": "projection"}},
    "no norm": {"norm": {"name": "none"}},
}


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    prepare()


def images(count: int = 6) -> Tensor:
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def step(checkpoint_blocks: bool, changes: dict[str, Any]) -> tuple[nn.Module, Tensor, Tensor]:
    """The network after one backward pass, its loss, and the gradient of the images."""
    model = build_model(network_config(depth=74, trainer={"checkpoint_blocks": checkpoint_blocks}, **changes))
    torch.manual_seed(0)
    x = images().requires_grad_()
    loss = training_loss(model, x, torch.tensor([0, 1, 2, 0, 1, 2]))
    loss.backward()
    assert x.grad is not None
    return model, loss, x.grad


@pytest.fixture(params=CASES.values(), ids=CASES)
def both(request: pytest.FixtureRequest) -> Any:
    return step(False, request.param), step(True, request.param)


def test_loss_and_gradients_are_the_same(both: Any) -> None:
    (plain, loss, grad), (saving, same_loss, same_grad) = both
    assert torch.equal(loss, same_loss)
    torch.testing.assert_close(same_grad, grad, rtol=0, atol=0)
    theirs = dict(saving.named_parameters())
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(theirs[name].grad, parameter.grad, rtol=0, atol=0, msg=name)


def test_running_statistics_take_in_each_batch_once(both: Any) -> None:
    (plain, *_), (saving, *_) = both
    theirs = dict(saving.named_buffers())
    assert [name for name, one in plain.named_buffers() if not torch.equal(one, theirs[name])] == []


def test_the_noise_behind_the_step_is_the_same() -> None:
    drawn = []
    for checkpoint_blocks in (False, True):
        step(checkpoint_blocks, CASES["dropout"])
        drawn.append(torch.rand(3))
    assert torch.equal(*drawn)


def test_gradients_can_be_taken_twice_from_one_graph() -> None:
    changes = {"trainer": {"checkpoint_blocks": True}, "shortcut": {"name": "dropout"}}
    model = build_model(network_config(depth=14, **changes))
    loss = training_loss(model, images(), torch.tensor([0, 1, 2, 0, 1, 2]))
    before = {name: value.clone() for name, value in model.named_buffers()}
    first = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
    loss.backward()
    for parameter, gradient in zip(model.parameters(), first, strict=True):
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, gradient)
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())


def test_names_stay_and_eval_mode_is_untouched() -> None:
    plain, saving = (
        build_model(network_config(trainer={"checkpoint_blocks": value})).eval() for value in (False, True)
    )
    assert list(plain.state_dict()) == list(saving.state_dict())
    assert torch.equal(plain(images()), saving(images()))


def test_a_cell_has_the_same_result_and_the_same_identity() -> None:
    plain, saving = tiny_cell(), tiny_cell("trainer.checkpoint_blocks=true")
    assert plain.id == saving.id
    histories = [fit(training_of(f"trainer.checkpoint_blocks={value}")).history for value in ("false", "true")]
    without_times = [[{**row, "seconds": 0} for row in history] for history in histories]
    assert without_times[0] == without_times[1]


@pytest.mark.parametrize("backbone", ["resnet", "googlenet"])
def test_any_backbone_keeps_less(backbone: str) -> None:
    assert peak(True, f"backbone={backbone}", "depth=56") < 0.7 * peak(False, f"backbone={backbone}", "depth=56")


@pytest.mark.parametrize(
    "arch",
    [
        "preact_resnet164",
        pytest.param("preact_resnet1001", marks=pytest.mark.slow),
        pytest.param("resnet1001_cifar", marks=pytest.mark.slow),
    ],
)
def test_very_deep_networks_train_in_a_fraction_of_the_memory(arch: str) -> None:
    factor = peak(False, f"arch={arch}") / peak(True, f"arch={arch}")
    assert factor > (4 if "164" in arch else 10)


def test_a_network_without_stages_is_refused() -> None:
    with registry.isolated():

        @register("backbone", "flat")
        class Flat(nn.Linear):
            """A linear classifier."""

            def __init__(self, parts: Parts) -> None:
                super().__init__(parts.size[0], parts.classes)

        for changes in ({"trainer": {"checkpoint_blocks": True}}, {"aux": {"name": "linear"}}):
            with pytest.raises(InputError, match="backbone flat has no stages"):
                build_model(network_config(backbone={"name": "flat"}, **changes))


def peak(checkpoint_blocks: bool, *overrides: str) -> int:
    """Bytes alive at most in a forward and a backward pass of 128 images, counted without computing."""
    options = [f"trainer.checkpoint_blocks={str(checkpoint_blocks).lower()}", "image={channels:3,size:32,classes:10}"]
    with torch.device("meta"):
        model = ablate.build_model(ablate.compose([*overrides, *options]))
        with Memory() as memory:
            model(torch.zeros(128, 3, 32, 32)).sum().backward()
    return memory.peak
