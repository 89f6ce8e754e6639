"""Weight layers, norms and residual units of networks are found where they are."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

import ablate
from ablate import Shortcut, UnitPass, residual_units, watch_units, weight_layers, without_branches

SMALL = ("width=0.125", "image.size=8", "image.channels=1", "image.classes=10")


def build(*overrides: str) -> nn.Module:
    return ablate.build_model(ablate.compose([*SMALL, *overrides])).train()


IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("overrides", "depth", "others"),
    [
        (("depth=20",), 20, {}),
        (("depth=20", "shortcut=none"), 20, {}),
        (("depth=20", "order=pre", "shortcut=projection"), 20, {"shortcut": 2}),
        (("depth=29", "block=bottleneck", "shortcut=projection_all"), 29, {"shortcut": 9}),
        (("depth=8", "shortcut=exclusive_gate"), 8, {"shortcut": 3}),
        (("depth=8", "aux=linear", "aux.at=[stage1,stage2]"), 8, {"aux": 2}),
        (("arch=vgg11", "width=0.125", "image.size=8"), 11, {}),
        (("backbone=googlenet", "stem=googlenet", "aux=googlenet", "aux.at=[inception4a]"), 58, {"aux": 3}),
    ],
)  # fmt: skip
def test_the_main_path_has_as_many_layers_as_the_network_is_deep(
    overrides: tuple[str, ...], depth: int, others: dict[str, int]
) -> None:
    layers = weight_layers(build(*overrides), IMAGES)
    main = [layer for layer in layers if layer.path == "main"]
    assert [layer.place for layer in main] == list(range(1, depth + 1)), "numbered from the input on"
    assert main[0].name.startswith("stem") or main[0].name.startswith("stages.stage1")
    assert main[-1].name.startswith("head")
    found = [layer.path for layer in layers if layer.path != "main"]
    assert {path: found.count(path) for path in found} == others


@pytest.mark.parametrize(
    ("overrides", "norms"),
    [
        (("order=post",), {"conv1": "branch.norm1", "conv2": "branch.norm2"}),
        (("order=pre",), {"conv1": "branch.norm1", "conv2": None}),
        (("order=bn_after_add",), {"conv1": "branch.norm1", "conv2": None}),
        (("order=post", "norm=none"), {"conv1": None, "conv2": None}),
        (("order=post", "norm=group", "norm.groups=1"), {"conv1": "branch.norm1", "conv2": "branch.norm2"}),
    ],
)
def test_the_norm_of_a_layer_is_the_one_that_takes_its_output(
    overrides: tuple[str, ...], norms: dict[str, str | None]
) -> None:
    model = build("depth=14", *overrides)
    names = {module: name for name, module in model.named_modules()}
    layers = {layer.name: layer for layer in weight_layers(model, IMAGES)}
    unit = "stages.stage1.1."  # the second: no pre-activation is shared
    found = {name: layers[f"{unit}branch.{name}"].norm for name in norms}
    told = {name: None if norm is None else names[norm].removeprefix(unit) for name, norm in found.items()}
    assert told == norms


def test_looking_for_layers_leaves_a_network_as_it_was() -> None:
    model = build("depth=8", "shortcut=dropout")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    drawn = torch.get_rng_state()
    weight_layers(model, IMAGES[:1])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn)
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("overrides", "units"),
    [
        (("depth=20",), 9),
        (("depth=20", "shortcut=none"), 9),
        (("depth=20", "order=pre", "backbone.shortcut_listed=first"), 9),
        (("backbone=inception_resnet", "backbone.blocks=[1,2,1]", "stem=none"), 4),
        (("arch=vgg11", "width=0.125", "image.size=8"), 0),
    ],
)
def test_units_are_those_of_residual_networks(overrides: tuple[str, ...], units: int) -> None:
    model = build(*overrides)
    passes: list[UnitPass] = []
    with watch_units(residual_units(model), passes.append):
        model(IMAGES)
    assert len(passes) == len(residual_units(model)) == units
    assert [one.unit for one in passes] == residual_units(model), "from first to last"
    assert not any(module._forward_hooks for module in model.modules())


def test_what_goes_through_a_unit_is_seen_part_by_part() -> None:
    model = build("depth=14", "order=post")
    passes: list[UnitPass] = []
    with watch_units(residual_units(model), passes.append):
        model(IMAGES)
    assert [one.keeps_shape for one in passes] == [True, True, False, True, False, True]
    for one, following in pairwise(passes):
        assert torch.equal(one.output, following.x)
    second = passes[1]
    assert torch.equal(second.joined, second.carried + second.residual)
    assert torch.equal(second.output, second.joined.relu())
    assert not second.joined.requires_grad


def test_a_shared_pre_activation_is_what_the_shortcut_carries() -> None:
    model = build("depth=14", "order=pre")
    passes: list[UnitPass] = []
    with watch_units(residual_units(model), passes.append):
        model(IMAGES)
    assert [torch.equal(one.x, one.carried) for one in passes] == [False, True, False, True, False, True]


def test_without_its_branch_a_unit_hands_on_what_its_shortcut_carries() -> None:
    model = build("depth=14", "order=post").eval()
    unit = residual_units(model)[1]
    passes: list[UnitPass] = []
    with without_branches([unit]), watch_units([unit], passes.append):
        model(IMAGES)
    assert torch.equal(passes[0].output, passes[0].x), "activated already, so that the activation changes nothing"
    assert not any(module._forward_pre_hooks for module in model.modules())


class Named(Shortcut):
    """x + F(x)."""

    def forward(self, x: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        return x + residual


class DropUnit(nn.Module):
    """x -> x + F(x) in eval mode, x while it trains: a unit that stochastic depth leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Conv2d(1, 1, 3, padding=1)
        self.shortcut = Named()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.training else self.shortcut(residual=self.branch(x), x=x)  # type: ignore[no-any-return]


def test_a_unit_that_is_left_out_is_not_seen_and_its_layers_are_known() -> None:
    model = nn.Sequential(DropUnit(), DropUnit()).train()
    passes: list[UnitPass] = []
    with watch_units(residual_units(model), passes.append):
        model(IMAGES)
        assert passes == []
        model[1].eval()
        y = model(IMAGES)
    assert [(one.unit.name, one.unit.place) for one in passes] == [("1", 2)]
    assert torch.equal(passes[0].carried + passes[0].residual, y), "by their names, in whichever order"
    assert [layer.name for layer in weight_layers(model, IMAGES)] == ["0.branch", "1.branch"]
    with without_branches(residual_units(model)):
        assert torch.equal(model(IMAGES), IMAGES)


def test_a_branch_that_gives_zero_is_not_missed() -> None:
    model = build("depth=14", "order=pre").eval()
    unit = residual_units(model)[3]
    last = list(unit.module.get_submodule("branch").children())[-1]
    last.weight.data.zero_()
    with without_branches([unit]):
        without = model(IMAGES)
    assert torch.equal(without, model(IMAGES)), "bit for bit"
