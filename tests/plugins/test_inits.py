"""Initial values against their papers: deviations, identities, and residual branches that start at zero."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ablate import InputError, ends_branch, registry
from ablate.config.compose import prepare
from ablate.network.build import build_model
from ablate.testing import images, network_config

INITS = ("he", "normal", "glorot", "dirac")
WIDE = "stages.stage3.0.branch.conv1.weight"  # 128 -> 256 channels, 3x3
SQUARE = "stages.stage3.0.branch.conv2.weight"  # 256 -> 256


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    prepare()


def small(**changes: Any) -> nn.Module:
    return build_model(network_config(**changes))


def wide(init: str, **options: Any) -> dict[str, Tensor]:
    return small(width=4, init={"name": init, **options}).state_dict()


def stream() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_normal_has_one_deviation_for_every_layer() -> None:
    for options, std in (({}, 0.01), ({"std": 0.1}, 0.1)):
        state = wide("normal", **options)
        for name in (WIDE, SQUARE, "head.linear.weight"):
            assert float(state[name].std()) == pytest.approx(std, rel=0.1), name


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_glorot_has_the_variance_of_both_fans(distribution: str) -> None:
    state = wide("glorot", distribution=distribution)
    for name, deviation in ((WIDE, (2 / (9 * 384)) ** 0.5), (SQUARE, (2 / (9 * 512)) ** 0.5)):
        assert float(state[name].std()) == pytest.approx(deviation, rel=0.01)
        beyond = float(state[name].abs().max()) > 3**0.5 * deviation * 1.001
        assert beyond is (distribution == "normal")
    assert float(state["head.linear.weight"].std()) == pytest.approx((2 / 259) ** 0.5, rel=0.1)


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_dirac_convolution_lets_its_input_through(groups: int, stride: int) -> None:
    conv = nn.Conv2d(6, 6, 3, stride, padding=1, groups=groups)
    init = registry.build("init", {"name": "dirac"})
    with torch.no_grad():
        for name, parameter in conv.named_parameters():
            assert init.fill(conv, name, parameter, stream())
    x = images(2, 6)
    assert torch.equal(conv(x), x[:, :, ::stride, ::stride])


def test_where_dirac_has_no_identity_it_is_he() -> None:
    ours, he = wide("dirac"), wide("he")
    assert torch.equal(ours[WIDE], he[WIDE])
    assert torch.equal(ours["head.linear.weight"], he["head.linear.weight"])
    assert not torch.equal(ours[SQUARE], he[SQUARE])


@pytest.mark.parametrize("init", INITS)
def test_biases_norms_and_offsets_start_as_in_every_network(init: str) -> None:
    model = small(init={"name": init}, block={"name": "basic", "bias": "all"})
    vectors = {name: vector for name, vector in model.named_parameters() if vector.ndim == 1}
    assert all(vector.eq(1 if name.endswith("weight") else 0).all() for name, vector in vectors.items())


@pytest.mark.parametrize("std", [0.0, -1.0, float("inf"), float("nan")])
def test_a_deviation_that_is_none_is_refused(std: float) -> None:
    with pytest.raises(InputError, match=r"init\.std must be a number above 0, not"):
        small(init={"name": "normal", "std": std})


def marked(model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if ends_branch(module)]


@pytest.mark.parametrize(
    ("order", "norm", "last"),
    [
        ("post", "batch", "norm3"), ("relu_before_add", "batch", "norm3"), ("relu_only_pre", "group", "norm3"),
        ("pre", "batch", "conv3"), ("bn_after_add", "batch", "conv3"),
        ("post", "none", "conv3"), ("post", "lrn", "conv3"),
    ],
)  # fmt: skip
def test_each_branch_has_one_last_layer_with_a_scale(order: str, norm: str, last: str) -> None:
    node = {"name": norm, **({"groups": 4} if norm == "group" else {})}
    model = small(depth=11, block={"name": "bottleneck"}, order={"name": order}, norm=node)
    assert marked(model) == [f"stages.stage{stage}.0.branch.{last}" for stage in (1, 2, 3)]


ORDERS = ("post", "pre", "relu_before_add", "relu_only_pre")


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("block", ["basic", "bottleneck", "single", "resnext"])
def test_units_that_start_at_zero_are_the_identity_bit_for_bit(order: str, norm: str, block: str) -> None:
    depth = {"basic": 14, "bottleneck": 20, "single": 8, "resnext": 20}[block]
    changes: dict[str, Any] = {kind: {"name": name} for kind, name in (("order", order), ("norm", norm))}
    for init in INITS:
        model = small(depth=depth, block={"name": block}, init={"name": init, "zero_last": True}, **changes)
        for stage in model.stages:  # the first unit of a stage may change the shape, or share its activation
            unit, channels = stage[1], stage[1].branch.conv1.in_channels
            x = images(3, channels)
            x = x.relu() if order == "post" else x  # as a unit leaves it, behind its last activation
            assert torch.equal(unit(x), x), init


def test_a_branch_behind_which_the_sum_is_normed_starts_at_zero_too() -> None:
    model = small(order={"name": "bn_after_add"}, init={"name": "he", "zero_last": True})
    for stage in model.stages:
        branch = stage[0].branch
        assert bool((branch(images(3, branch.conv1.in_channels)) == 0).all())


def test_inception_resnet_starts_its_branches_at_zero() -> None:
    changes = {"backbone": {"name": "inception_resnet", "blocks": [1, 1, 1]}, "width": 0.1}
    model = small(init={"name": "he", "zero_last": True}, **changes)
    block = model.stages.inception_a[0]
    x = images(2, block.conv.out_channels).relu()
    assert torch.equal(block(x), x)
    assert len(marked(model)) == 3


def test_a_network_that_starts_at_zero_trains() -> None:
    model = small(depth=14, init={"name": "he", "zero_last": True})
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for _ in range(2):  # first what is zero, then what stands before it
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(images()), torch.tensor([0, 1, 2, 0])).backward()
        optimiser.step()
    assert [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])] == []


def test_nothing_else_starts_otherwise() -> None:
    plain, zero = (small(init={"name": "he", "zero_last": choice}).state_dict() for choice in (False, True))
    assert {name.rpartition(".")[0] for name in plain if not torch.equal(plain[name], zero[name])} == set(
        marked(small())
    )
