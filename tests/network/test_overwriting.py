"""Parts that work in place: the same network as without, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ablate
from ablate import Backbone, Block, Head, InputError, Parts, Shortcut, Stem, UnitShape, register
from ablate.network.profile import profile
from ablate.study.plan import plan_study
from tests.cells import planned

pytestmark = pytest.mark.usefixtures("here")
SMALL = ("depth=14", "width=0.25")  # two units a stage: of one alone the shortcut changes the shape


def function(of: Callable[[Tensor], Tensor]) -> Callable[[Parts], nn.Module]:
    """A plugin that makes this function a module."""

    class Function(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return of(x)

    def make(parts: Parts) -> nn.Module:
        """A function."""
        return Function()

    return make


class Wrapped(nn.Module):
    """Nothing of it says that it works in place."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


def act(parts: Parts) -> nn.Module:
    """In place, as torch has it."""
    return nn.ReLU(inplace=True)


def wrapped(parts: Parts) -> nn.Module:
    """In place, deep inside."""
    return Wrapped()


ACTS = {
    "inplace=True": act,
    "inside of a module": wrapped,
    "F.relu_": function(F.relu_),
    "clamp_": function(lambda x: x.clamp_(min=0)),
    "a slice of it": function(lambda x: (x.masked_fill_(x < 0, 0.0), x)[1]),
}


def outputs(model: nn.Module) -> list[Tensor]:
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    trained = model.train()(images)
    trained.sum().backward()
    return [trained.detach(), model.eval()(images).detach()]


@pytest.mark.parametrize(
    ("overrides", "is_read"),
    [
        (["order=post"], False),
        (["order=bn_after_add"], False),
        (["order=pre"], False),
        (["order=pre", "shortcut=projection_all"], False),
        (["order=pre", "norm=none"], True),
        (["order=relu_only_pre"], True),
        (["order=relu_only_pre", "block=bottleneck", "depth=20"], True),
        (["backbone=vgg", "depth=11"], False),
        (["backbone=googlenet", "stem=googlenet", "order=post"], False),
        (["backbone=lenet", "width=1"], False),
    ],
)
@pytest.mark.slow
def test_an_activation_is_the_same_function_in_place_or_is_refused(overrides: list[str], is_read: bool) -> None:
    register("act", "in_place")(act)
    chosen = [*SMALL, *overrides]
    plain = outputs(ablate.build_model(ablate.compose([*chosen, "act=relu"])))
    if is_read:
        with pytest.raises(InputError, match=r"changes its input in place, which .* act 'in_place'"):
            ablate.build_model(ablate.compose([*chosen, "act=in_place"]))
        return
    same = outputs(ablate.build_model(ablate.compose([*chosen, "act=in_place"])))
    assert all(torch.equal(one, other) for one, other in zip(plain, same, strict=True))


@pytest.mark.parametrize("made", ACTS.values(), ids=ACTS)
def test_however_it_works_in_place_it_is_refused_by_name_and_file(made: Any) -> None:
    register("act", "in_place")(made)
    with pytest.raises(InputError) as error:
        ablate.build_model(ablate.compose([*SMALL, "order=relu_only_pre", "act=in_place"]))
    said = str(error.value)
    assert "changes its input in place, which" in said
    assert said.endswith(f"(not built in: act 'in_place', {__file__})")
    assert "\n" not in said


class AddsToInput(Shortcut):
    """x += F(x): what the branch's gradients need is gone."""

    def __init__(self, parts: Parts, shape: UnitShape) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(1, shape.stride)
        self.widen = nn.Conv2d(shape.in_channels, shape.out_channels, 1) if shape.changes else nn.Identity()

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return x.add_(residual) if isinstance(self.widen, nn.Identity) else self.widen(self.pool(x)) + residual


class AddsToResidual(AddsToInput):
    """F(x) += x."""

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return residual.add_(x if isinstance(self.widen, nn.Identity) else self.widen(self.pool(x)))


class AddsBeside(AddsToInput):
    """F(x) + x."""

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return residual + (x if isinstance(self.widen, nn.Identity) else self.widen(self.pool(x)))


class CentredImages(Stem):
    """Takes 1 from every image, in place."""

    def __init__(self, parts: Parts, out_channels: int) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.conv = nn.Conv2d(parts.channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.sub_(1))


class LayerBehindReLU(nn.Sequential):
    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(nn.ReLU(inplace=True), nn.Conv2d(in_channels, out_channels, 3, stride, 1))
        self.in_channels, self.out_channels = in_channels, out_channels


class ReLUFirst(Block):
    """Its first layer overwrites the unit's input."""

    depth = 1

    def layers(self, in_channels: int, width: int, stride: int) -> list[nn.Module]:
        return [LayerBehindReLU(in_channels, width, stride)]


class InPlaceNorm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mul_(0.5)


def half(parts: Parts, channels: int) -> nn.Module:
    """Half of everything."""
    return InPlaceNorm()


@pytest.mark.parametrize(
    ("kind", "plugin", "overrides", "said"),
    [
        (
            "shortcut",
            AddsToInput,
            ["order=post"],
            ", such as AddsToInput at stages.stage3.1.shortcut, changes in place what the",
        ),
        ("shortcut", AddsToResidual, ["order=relu_before_add"], "changes in place what the gradients"),
        ("stem", CentredImages, [], "CentredImages at stem changes in place the images"),
        ("block", ReLUFirst, ["depth=8"], "ReLU at stages.stage1.0.branch.conv1.0 changes its input"),
        ("norm", half, ["order=pre"], "InPlaceNorm at stages.stage1."),
    ],
)
def test_any_part_that_changes_what_others_read_is_refused(
    kind: str, plugin: Any, overrides: list[str], said: str
) -> None:
    register(kind, "mine")(plugin)
    with pytest.raises(InputError) as error:
        ablate.build_model(ablate.compose([*SMALL, f"{kind}=mine", *overrides]))
    assert said in str(error.value)
    assert f"{kind} 'mine', {__file__}" in str(error.value)


def test_what_nobody_else_reads_may_be_overwritten() -> None:
    register("shortcut", "onto")(AddsToResidual)
    register("shortcut", "beside")(AddsBeside)
    onto, beside = (
        outputs(ablate.build_model(ablate.compose([*SMALL, f"shortcut={name}"]))) for name in ("onto", "beside")
    )
    assert all(torch.equal(one, other) for one, other in zip(onto, beside, strict=True))


class Usual(Backbone):
    """As published code writes it: every activation in place, and dropout too."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.stem = nn.Sequential(nn.Conv2d(parts.channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.add_stage("only", nn.Sequential(nn.Conv2d(8, 8, 3), nn.ReLU(inplace=True), nn.AvgPool2d(2)), 8)
        self.final = nn.Dropout(0.5, inplace=True)
        self.head: Head = parts.make("head", 8)


def test_a_network_that_is_in_place_within_itself_is_one() -> None:
    register("backbone", "usual")(Usual)
    assert all(one.isfinite().all() for one in outputs(ablate.build_model(ablate.compose(["backbone=usual"]))))


class Looks(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if self.training and float(x.sum()) > 0 else x


def looks(parts: Parts) -> nn.Module:
    """Looks at values, which a network that is only counted has none of."""
    return Looks()


def test_a_part_that_looks_at_values_while_it_trains_is_not_refused_for_it() -> None:
    register("act", "looks")(looks)
    config = planned("width=0.25", "act=looks")
    assert profile(config).params > 0
    assert all(one.isfinite().all() for one in outputs(ablate.build_model(config)))


@pytest.mark.parametrize("verb", [[], ["plan"]], ids=["run", "plan"])
def test_a_command_refuses_it_before_training(here: Path, refused: Callable[..., str], verb: list[str]) -> None:
    (here / "plugins").mkdir()
    file = here / "plugins" / "acts.py"
    file.write_text(
        "from torch import nn\nfrom ablate import register\n\n\n@register('act', 'mine')\ndef mine(parts):\n"
        '    """In place."""\n    return nn.ELU(inplace=True)\n'
    )
    said = refused(*verb, *SMALL, "trainer.epochs=1", "order=relu_only_pre", "act=mine")
    assert "ELU at" in said
    assert f"act 'mine', {file}" in said
    assert not (here / "runs").exists()


def test_an_arm_is_named() -> None:
    register("act", "in_place")(act)
    with pytest.raises(InputError, match=r"arm 'pre': ReLU at .* changes its input in place"):
        plan_study([*SMALL, "act=in_place", "+study.arms.post=[]", "+study.arms.pre=['order=relu_only_pre']"])
