"""Auxiliary classifiers: what they compute, where they stand, and that they train and never evaluate."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate import Backbone, InputError, registry
from ablate.config.compose import prepare
from ablate.interfaces.backbone import Aux
from ablate.network.build import build_model, count_flops, count_parameters
from ablate.network.loss import training_loss
from ablate.testing import images, make_parts, network_config
from tests.cells import fit, training_of

NAMES = ["linear", "googlenet", "inception_v3"]
LABELS = torch.tensor([0, 1, 2, 0])


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    prepare()


def network(name: str = "linear", at: tuple[str, ...] = ("stage2",), **options: Any) -> Any:
    return build_model(network_config(aux={"name": name, "at": list(at), **options}))


def head_of(name: str, channels: int, norm: str = "none", **options: Any) -> nn.Module:
    aux: Aux = make_parts(norm={"name": norm}, width=1.0, aux={"name": name, **options}).make("aux")
    return aux.head(channels).double()


def weights(head: nn.Module) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    for parameter in head.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.1
    return [parameter.detach() for parameter in head.parameters()]


@pytest.mark.parametrize("name", NAMES)
def test_training_gives_logits_and_a_list_and_eval_mode_the_logits(name: str) -> None:
    model = network(name, ("stage1", "stage3"))
    logits, auxiliary = model(images())
    assert [one.shape for one in (logits, *auxiliary)] == [(4, 3)] * 3
    assert isinstance(auxiliary, list)
    assert model.eval()(images()).shape == (4, 3)


@pytest.mark.parametrize("name", NAMES)
def test_they_have_no_part_in_evaluation(name: str) -> None:
    plain, model = build_model(network_config()), network(name)
    shape = (1, 1, 8, 8)
    assert count_flops(model, shape) == count_flops(plain, shape)
    assert count_parameters(model) > count_parameters(plain)
    torch.testing.assert_close(model.eval()(images()), plain.eval()(images()), rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_is_the_main_one_and_the_weighted_sum_of_the_others(name: str) -> None:
    model = network(name, ("stage1", "stage2"), weight=0.7)
    torch.manual_seed(0)
    loss = training_loss(model, images(), LABELS)
    torch.manual_seed(0)
    main, (first, second) = model(images())
    by_hand = F.cross_entropy(main, LABELS) + 0.7 * (F.cross_entropy(first, LABELS) + F.cross_entropy(second, LABELS))
    torch.testing.assert_close(loss, by_hand)
    loss.backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_a_weight_of_zero_trains_the_network_as_if_they_were_not_there() -> None:
    plain, model = build_model(network_config()), network(weight=0.0)
    for one in (plain, model):
        training_loss(one, images(), LABELS).backward()
    theirs = dict(model.named_parameters())
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(theirs[name].grad, parameter.grad, rtol=0, atol=0)


def test_metrics_are_of_the_main_classifier() -> None:
    training = fit(training_of("aux=linear", "aux.at=[stage1]", "trainer.epochs=1", "aux.weight=5"))
    model = training.model.eval()
    wrong = loss = 0.0
    with torch.no_grad():
        for x, y in training.data.evaluation_batches(training.data.test):
            wrong += float((model(x).argmax(1) != y).sum())
            loss += float(F.cross_entropy(model(x), y, reduction="sum"))
    samples = len(training.data.test.labels)
    assert training.history[-1]["test/error"] == pytest.approx(wrong / samples)
    assert training.history[-1]["test/loss"] == pytest.approx(loss / samples)


def test_googlenets_is_the_papers() -> None:
    head = head_of("googlenet", 6, dropout=0.0)
    conv, conv_bias, fc1, bias1, fc2, bias2 = weights(head)
    assert [tuple(one.shape) for one in (conv, fc1, fc2)] == [(128, 6, 1, 1), (1024, 128 * 16), (3, 1024)]
    x = torch.randn(2, 6, 14, 14, dtype=torch.float64)
    y = F.conv2d(F.avg_pool2d(x, 5, 3), conv, conv_bias).relu().flatten(1)
    by_hand = F.linear(F.linear(y, fc1, bias1).relu(), fc2, bias2)
    torch.testing.assert_close(head(x), by_hand)
    paper, adaptive = (F.avg_pool2d(x, 5, 3), F.adaptive_avg_pool2d(x, 4))
    assert not torch.allclose(paper, adaptive), "the two poolings differ, so the choice matters"


@pytest.mark.parametrize("side", [1, 2, 7, 14, 18])
def test_torchvisions_pools_any_map_to_4x4(side: int) -> None:
    head = head_of("googlenet", 6, norm="batch", pool="adaptive", dropout=0.0).eval()
    conv, scale, shift, fc1, bias1, fc2, bias2 = weights(head)
    x = torch.randn(2, 6, side, side, dtype=torch.float64)
    y = F.conv2d(F.adaptive_avg_pool2d(x, 4), conv)
    y = F.batch_norm(y, torch.zeros(128).double(), torch.ones(128).double(), scale, shift).relu().flatten(1)
    torch.testing.assert_close(head(x), F.linear(F.linear(y, fc1, bias1).relu(), fc2, bias2))


@pytest.mark.parametrize("side", [17, 20])
def test_inception_v3s_pools_and_convolves_without_padding(side: int) -> None:
    head = head_of("inception_v3", 6)
    conv1, bias1, conv2, bias2, fc, bias = weights(head)
    assert [tuple(one.shape) for one in (conv1, conv2, fc)] == [(128, 6, 1, 1), (768, 128, 5, 5), (3, 768)]
    x = torch.randn(2, 6, side, side, dtype=torch.float64)
    y = F.conv2d(F.conv2d(F.avg_pool2d(x, 5, 3), conv1, bias1).relu(), conv2, bias2).relu()
    torch.testing.assert_close(head(x), F.linear(y.mean((2, 3)), fc, bias))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [1, 2, 3, 5, 13, 16, 17])
def test_maps_of_any_size_will_do(name: str, side: int) -> None:
    assert head_of(name, 6)(torch.randn(2, 6, side, side + 1, dtype=torch.float64)).shape == (2, 3)


def test_width_scales_them() -> None:
    narrow = build_model(network_config(width=0.25, aux={"name": "googlenet", "at": ["stage1"]}))
    widths = [module.out_features for module in narrow.aux_heads["stage1"].modules() if isinstance(module, nn.Linear)]
    assert widths == [256, 3]


def test_their_weights_stand_behind_the_stages_and_share_no_names_with_them() -> None:
    plain, model = list(build_model(network_config()).state_dict()), list(network().state_dict())
    added = [name for name in model if name not in plain]
    assert {name.split(".")[0] for name in added} == {"aux"}
    assert [name for name in model if name not in added] == plain
    assert model.index(added[0]) > model.index([name for name in plain if name.startswith("stages")][-1])
    assert model.index(added[-1]) < model.index("head.linear.weight")


def test_a_family_may_list_their_weights_behind_the_stage() -> None:
    class TwoStages(Backbone):
        def __init__(self, parts: Any) -> None:
            super().__init__(parts)
            self.add_stage("first", nn.Conv2d(1, 2, 1), 2)
            self.add_stage("second", nn.Conv2d(2, 2, 1), 2)
            self.attach_aux(parts, default=["first"], listed="after_tap")
            self.head = parts.make("head", 2)

    model = TwoStages(make_parts(aux={"name": "linear"}))
    owners = list(dict.fromkeys(name.rpartition(".")[0] for name in model.state_dict()))
    assert owners == ["stages.first", "stages.first_aux.linear", "stages.second", "head.linear"]
    logits, auxiliary = model(images())
    assert [one.shape for one in (logits, *auxiliary)] == [(4, 3)] * 2
    assert list(model.aux_heads) == ["first"]
    assert model.taps == {"first": 2, "second": 2}


def test_they_come_in_the_order_of_the_stages() -> None:
    first, second = network(at=("stage3", "stage1")), network(at=("stage1", "stage3"))
    for model in (first, second):
        torch.testing.assert_close(model(images())[1][0], model.aux_heads["stage1"](stage1(model)))


def stage1(model: Any) -> Tensor:
    x: Tensor = model.stages.stage1(model.stem(images()))
    return x


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"at": ["stage9"]},
            r"unknown stage in aux\.at 'stage9'; did you mean 'stage\d'\?; known: stage1, stage2, stage3",
        ),
        ({"at": []}, r"stands behind no stage; set aux\.at, stages: stage1, stage2, stage3"),
        ({}, r"stands behind no stage; set aux\.at, stages: stage1, stage2, stage3"),
        ({"at": ["stage1", "stage1"]}, "twice: stage1, stage1"),
        ({"at": ["stage1"], "weight": -0.1}, r"aux\.weight must be a number from 0 on, not -0\.1"),
        ({"at": ["stage1"], "weight": float("nan")}, r"aux\.weight must be a number from 0 on, not nan"),
    ],
)
def test_where_they_cannot_stand_is_refused_with_the_reason(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        build_model(network_config(aux={"name": "linear", **options}))


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_dropout_is_a_share(dropout: float) -> None:
    with pytest.raises(InputError, match=r"aux\.dropout is a share from 0 to below 1"):
        network("googlenet", dropout=dropout)


def test_every_one_has_tests_here() -> None:
    assert {entry.name for entry in registry.entries("aux")} == {"none", *NAMES}
