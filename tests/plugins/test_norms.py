"""Batch normalisation with its factor and without."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ablate
from ablate.config.compose import prepare
from ablate.network.build import build_model, count_parameters
from ablate.testing import images, make_parts, network_config
from tests.cells import fit, training_of


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    prepare()


def norm(scale: bool) -> nn.Module:
    return make_parts(norm={"name": "batch", "scale": scale}).norm(8)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_without_its_factor_it_is_the_norm_whose_factor_is_one(memory_format: torch.memory_format) -> None:
    found = []
    for scale in (True, False):
        module, x = norm(scale), images(4, 8).to(memory_format=memory_format).requires_grad_()
        y = module(x)
        (y.square() * images(4, 8).abs()).sum().backward()
        assert x.grad is not None
        found.append([y, x.grad, module.bias.grad, *module.buffers(), module.eval()(x)])
    torch.testing.assert_close(found[1], found[0])


def test_without_its_factor_it_learns_an_offset_alone() -> None:
    assert [name for name, _ in norm(True).named_parameters()] == ["weight", "bias"]
    assert [name for name, _ in norm(False).named_parameters()] == ["bias"]


@pytest.mark.parametrize(
    ("arch", "channels"), [("resnet20_cifar", 688), ("inception_v3", 17_216), ("googlenet_bn", 7_280)]
)
def test_a_network_without_factors_lacks_these_alone(arch: str, channels: int) -> None:
    """A factor fewer for each channel of a norm; convolutions before norms have no more biases than before."""

    def built(*overrides: str) -> nn.Module:
        with torch.device("meta"):
            return ablate.build_model(ablate.compose([f"arch={arch}", "aux=none", *overrides]))

    with_factors, without = built(), built("norm.scale=false")
    factors = [module.weight for module in with_factors.modules() if isinstance(module, nn.BatchNorm2d)]
    assert sum(factor.numel() for factor in factors) == channels
    assert count_parameters(with_factors) - count_parameters(without) == channels


def test_residual_branches_that_are_to_start_at_zero_do_so_by_their_last_weights() -> None:
    changes = {"norm": {"name": "batch", "scale": False}, "init": {"name": "he", "zero_last": True}}
    model = build_model(network_config(depth=14, **changes))
    for stage in model.stages:
        x: Tensor = images(3, stage[1].branch.conv1.in_channels).relu()
        assert torch.equal(stage[1](x), x)


def test_it_trains() -> None:
    training = fit(training_of("norm.scale=false", "trainer.epochs=1"))
    assert not training.diverged
