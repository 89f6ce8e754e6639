"""The table of a network: it adds up, and the receptive fields are those that gradients show."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

import ablate
from ablate import InputError
from ablate.cli import commands
from ablate.config.compose import prepare
from ablate.network.build import build_model
from ablate.network.describe import Row, describe, describe_network
from ablate.network.receptive_field import ReceptiveFields, Span
from ablate.testing import network_config

# Araujo, Norris and Sim 2019, Distill 4(11), table of architectures: of the last map before the classifier.
PUBLISHED = {
    "alexnet": 195,
    "vgg16": 212,
    "resnet50_v2_keras": 483,
    "resnet101_v2_keras": 1027,
    "resnet152_v2_keras": 1507,
    "inception_v2": 699,
    "inception_v3": 1311,
    "inception_v4": 2071,
    "inception_resnet_v2": 3039,
}
# Overrides; images whose height holds the field of a pixel in their middle, and whose width it covers.
FAMILIES = {
    "resnet20": (["arch=resnet20_cifar"], (128, 64)),
    "padded at the end": (["arch=resnet20_cifar", "shortcut.pad=end"], (128, 64)),
    "strides in the last unit": (["arch=resnet50_v2_keras"], (1000, 96)),
    "projections only": (["arch=resnet18", "shortcut=projection_all"], (800, 96)),
    "pooled shortcut": (["arch=resnet50_v2_000"], (1000, 96)),
    "gates": (["arch=resnet20_cifar", "shortcut=exclusive_gate", "order=pre"], (128, 64)),
    "alexnet": (["arch=alexnet", "head=gap"], (400, 96)),
    "vgg": (["arch=vgg11", "head=gap"], (400, 96)),
    "googlenet": (["arch=googlenet", "aux=none"], (1200, 96)),
    "inception": (["arch=inception_v3", "aux=none"], (2000, 107)),
}


@dataclass
class Shape:
    channels: int
    size: tuple[int, int]
    classes: int


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    prepare()


def rows_of(*overrides: str) -> dict[str, Row]:
    return {row.name: row for row in describe(ablate.compose(overrides)).rows}


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """The lines that `describe` prints, on a page of 100 columns."""

    def lines(*overrides: str) -> list[str]:
        monkeypatch.setattr(commands, "CONSOLE", Console(width=100))
        commands.dispatch(["describe", *overrides])
        return capsys.readouterr().out.splitlines()

    return lines


@pytest.mark.parametrize(
    "overrides",
    [
        ["arch=resnet50"],
        ["arch=resnet20_cifar", "order=pre"],
        ["arch=lenet5"],
        ["arch=googlenet"],
        ["arch=inception_v3"],
        ["aux=linear", "aux.at=[stage1,stage2]"],
    ],
    ids=" ".join,
)
def test_the_rows_add_up_to_the_network(overrides: list[str]) -> None:
    one = describe(ablate.compose(overrides))
    assert sum(row.params for row in [*one.rows, *one.aux]) == one.params
    assert sum(row.flops for row in one.rows) == one.flops
    assert "other" not in {row.name for row in one.rows}


def test_stages_have_the_shapes_and_costs_of_the_paper() -> None:
    rows = rows_of("arch=resnet50", "block.stride_at=1x1")
    assert {name: row.shape for name, row in rows.items()} == {  # He et al. 2015, Table 1
        "stem": (64, 56, 56),
        "stage1": (256, 56, 56),
        "stage2": (512, 28, 28),
        "stage3": (1024, 14, 14),
        "stage4": (2048, 7, 7),
        "head": (1000,),
    }
    assert round(sum(row.flops for row in rows.values()) / 1e9, 1) == 3.9
    assert rows["stem"].params == 3 * 64 * 49 + 2 * 64
    assert rows["stem"].flops == 112 * 112 * 3 * 64 * 49


def test_auxiliary_classifiers_are_rows_of_their_own() -> None:
    one = describe(ablate.compose(["arch=googlenet"]))
    assert [row.name for row in one.aux] == ["aux at inception4a", "aux at inception4d"]
    assert one.params - sum(row.params for row in one.aux) == 6_998_552
    assert one.flops == describe(ablate.compose(["arch=googlenet", "aux=none"])).flops
    four = 4 * 4 * 512 * 128 + 128 * 16 * 1024 + 1024 * 1000
    assert one.aux[0].flops == four
    assert one.aux[0].shape == (1000,)


def test_what_stands_outside_the_parts_is_a_row() -> None:
    class Loose(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)
            self.weight = nn.Parameter(torch.ones(4, 2))

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x).mean((2, 3)) @ self.weight.T

    rows = describe_network(Loose(), (1, 5, 5)).rows
    assert [(row.name, row.params, row.flops) for row in rows] == [("conv", 20, 9 * 18), ("other", 8, 8)]


def test_describing_leaves_a_network_as_it_was() -> None:
    model = build_model(network_config())
    before = {name: one.clone() for name, one in model.state_dict().items()}
    describe_network(model, (1, 8, 8))
    assert model.training
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize(("arch", "size"), PUBLISHED.items(), ids=PUBLISHED)
@pytest.mark.slow
def test_receptive_fields_are_the_published_ones(arch: str, size: int) -> None:
    last = [row for row in rows_of(f"arch={arch}").values() if row.field is not None][-1]
    assert last.field is not None
    assert [span.size for span in last.field] == [size, size]


@pytest.mark.parametrize(("overrides", "size"), FAMILIES.values(), ids=FAMILIES)
@pytest.mark.slow
def test_receptive_fields_are_the_support_of_the_gradient(overrides: list[str], size: tuple[int, int]) -> None:
    model = positive(build_model(ablate.compose([*overrides, "width=0.02"]), Shape(1, size, 2)))
    x = torch.ones(1, 1, *size, dtype=torch.float64, requires_grad=True)
    maps: list[Tensor] = []
    list(model.stages.children())[-1].register_forward_hook(lambda module, inputs, output: maps.append(output))
    with ReceptiveFields(x) as fields:
        model(x)
    (last,) = maps
    middle = [side // 2 for side in last.shape[-2:]]
    last[0, :, middle[0], middle[1]].sum().backward()
    assert x.grad is not None
    seen, field = x.grad[0, 0] != 0, fields.of(last)
    assert 0 < pixels(field[0], middle[0])[0] < pixels(field[0], middle[0])[1] < size[0] - 1, "clear of the border"
    assert [hull(seen.any(1)), hull(seen.any(0))] == [clipped(*one) for one in zip(field, middle, size, strict=True)]


def positive(model: nn.Module) -> nn.Module:
    """A copy in which gradients cannot cancel or vanish: positive weights, norms in eval mode, means for maxima."""
    model = copy.deepcopy(model).double().eval()
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        values = torch.rand(parameter.shape, generator=generator, dtype=torch.float64) + 0.5
        fan = parameter[0].numel() if parameter.dim() > 1 else 1
        parameter.data = values / fan if name.endswith("weight") else values * 0
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                pool = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode)
                setattr(module, name, pool)
    return model


def pixels(span: Span, index: int) -> tuple[int, int]:
    """The first and the last pixel that pixel `index` sees."""
    return int(span.start + index * span.jump), int(span.end + index * span.jump)


def clipped(span: Span, index: int, size: int) -> tuple[int, int]:
    first, last = pixels(span, index)
    return max(first, 0), min(last, size - 1)


def hull(seen: Tensor) -> tuple[int, int]:
    places: Sequence[int] = seen.nonzero().flatten().tolist()
    return places[0], places[-1]


@pytest.mark.parametrize(
    ("layers", "size", "jump"),
    [
        ([nn.Conv2d(1, 1, 3, dilation=4)], 9, 1),
        ([nn.Conv2d(1, 1, 3, stride=2), nn.MaxPool2d(2), nn.Conv2d(1, 1, 3)], 3 + 2 + 2 * 4, 4),
        ([nn.ConstantPad2d(3, 0.0), nn.AvgPool2d(3, 1)], 3, 1),
        ([nn.AdaptiveAvgPool2d(8), nn.Conv2d(1, 1, 3)], 2 + 2 * 2, 2),
        ([nn.LocalResponseNorm(3), nn.ReLU()], 1, 1),
        ([nn.AdaptiveAvgPool2d(1)], float("inf"), float("inf")),
    ],
    ids=["dilated", "strided", "padded", "adaptive", "pixel by pixel", "global"],
)
def test_receptive_fields_by_hand(layers: list[nn.Module], size: float, jump: float) -> None:
    x = torch.zeros(1, 1, 16, 16)
    with ReceptiveFields(x) as fields:
        y = nn.Sequential(*layers)(x)
    assert {(span.size, span.jump) for span in fields.of(y)} == {(size, jump)}


def test_height_and_width_are_told_apart() -> None:
    row = describe_network(nn.Sequential(nn.Conv2d(1, 1, (1, 7), stride=(1, 2))), (1, 9, 9)).rows[0]
    assert row.field is not None
    assert [(span.size, span.jump) for span in row.field] == [(1, 1), (7, 2)]


def test_the_table_fits_a_page_and_names_every_stage(printed: Callable[..., list[str]]) -> None:
    lines = printed("arch=inception_v3")
    assert max(map(len, lines)) <= 100
    words = [line.split()[0] for line in lines]
    assert [f"mixed{name}" in words for name in ("5b", "6e", "7c")] == [True] * 3
    assert any("27,161,264" in line and "training" in line for line in lines)
    assert any("23,834,568" in line and "training" not in line for line in lines)


def test_any_config_can_be_described(printed: Callable[..., list[str]]) -> None:
    lines = printed("depth=14", "order=pre", "width=0.25", "data=digits")
    assert "1 x 8 x 8" in lines[0]
    assert "order=pre" in lines[0]


def test_a_study_of_several_networks_is_refused() -> None:
    with pytest.raises(InputError, match="several networks"):
        commands.dispatch(["describe", "+exp=degradation"])


def test_help_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands.dispatch(["describe", "--help"])
    assert "receptive field" in " ".join(capsys.readouterr().out.split())
