"""Probes on networks whose gradients, responses and branches are worked out by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ablate
from ablate import Course, EpochLook, InputError, Probe, Trained

from .looks import COURSE, Add, Alone, Classifier, Unit, batch, look_at, pointwise, told


def probe(name: str, **options: Any) -> Probe:
    return cast(Probe, ablate.build("probe", {"name": name, **options}))


def values(of: Probe) -> dict[str, float]:
    return {name: float(value) for name, value in of.values().items()}


def test_gradient_norms_of_a_linear_network() -> None:
    # Logits W h with h = w2 w1 x and W = (a, -a); δ = softmax - label = (-d, d). Then dW = δ h, dw1 = (δ·W) w2 x,
    # |δ·W| = 2 a d and |δ| = √2 d, so that ‖dw1‖ / ‖dW‖ = √2 a / w1.
    w1, w2, a, x = 2.0, 3.0, 0.5, 0.25
    model = nn.Sequential(pointwise(w1), pointwise(w2), Classifier(a))
    found = probe("gradient_norm")
    rows = {row["layer"]: row for row in look_at(found, model, batch([x]), rate=1.0)}
    d = float(torch.sigmoid(torch.tensor(-2 * a * w1 * w2 * x)))
    assert rows["0.weight"]["norm"] == pytest.approx(2 * a * d * w2 * x)
    assert rows["1.weight"]["norm"] == pytest.approx(2 * a * d * w1 * x)
    assert rows["2.linear.weight"]["norm"] == pytest.approx(math.sqrt(2) * d * w1 * w2 * x)
    assert [(row["place"], row["path"]) for row in rows.values()] == [(1, "main"), (2, "main"), (3, "main")]
    ratio = math.sqrt(2) * a / w1
    ends = {"input_to_output": ratio, "log_input_to_output": math.log10(ratio)}
    total = math.sqrt(sum(row["norm"] ** 2 for row in rows.values()))
    expected = {"first": total, "last": total, **ends, **{f"{name}_end": value for name, value in ends.items()}}
    assert values(found) == pytest.approx(expected)


def test_the_ratio_of_gradients_at_the_end_is_that_of_the_last_look() -> None:
    found = probe("gradient_norm")
    for step, w1 in enumerate((2.0, 4.0)):
        look_at(found, nn.Sequential(pointwise(w1), Classifier(1.0)), batch([1.0]), step=step)
    assert values(found)["input_to_output"] == pytest.approx(math.sqrt(2) / 2)
    assert values(found)["input_to_output_end"] == pytest.approx(math.sqrt(2) / 4)


def conv(weight: float, kernel: int = 3) -> nn.Conv2d:
    """A convolution that multiplies, by the middle of its kernel."""
    layer = nn.Conv2d(1, 1, kernel, padding=kernel // 2, bias=False)
    layer.weight.data.zero_()
    layer.weight.data[..., kernel // 2, kernel // 2] = weight
    return layer


def test_responses_are_those_behind_the_norm_and_before_the_activation() -> None:
    norm = nn.BatchNorm2d(1, eps=1e-9)
    norm.weight.data.fill_(5.0)
    pixels = batch([1.0, -1.0, 1.0, -1.0])  # of standard deviation 1
    model = nn.Sequential(conv(3.0), nn.ReLU(), conv(2.0), norm, conv(7.0, kernel=1), Classifier())
    found = probe("response")
    rows = look_at(found, model, pixels)
    # 3 x; max(3 x, 0) has the deviation 1.5, which the norm makes 1 and its scale 5.
    assert [(row["layer"], row["place"], row["std"]) for row in rows] == [
        ("0", 1, pytest.approx(3.0)), ("2", 2, pytest.approx(5.0)),
    ]  # fmt: skip
    look_at(found, model, 2 * pixels, step=9)
    expected = {"mean": 5.5, "first": 6.0, "last": 5.0, "largest": 6.0}
    at_start = {"mean": 4.0, "first": 3.0, "last": 5.0, "largest": 5.0}
    assert values(found) == pytest.approx(expected | {f"{name}_at_start": value for name, value in at_start.items()})
    stds = [row["std"] for row in look_at(probe("response", layers="all"), model, pixels)]
    assert stds == pytest.approx([3.0, 5.0, 35.0])


def test_a_branch_is_as_large_beside_x_as_its_factor() -> None:
    model = nn.Sequential(Unit(0.5), Unit(-2.0), Unit(0.0), Classifier())
    found = probe("branch_size")
    rows = look_at(found, model, batch([1.0, 2.0], [-3.0, 0.5]))
    assert [(row["unit"], row["keeps_shape"], row["size"]) for row in rows] == [
        ("0", 1, pytest.approx(0.5)), ("1", 1, pytest.approx(2.0)), ("2", 1, 0.0),
    ]  # fmt: skip
    expected = {"mean": 2.5 / 3, "first": 0.5, "last": 0.0}
    assert values(found) == pytest.approx(expected | {f"{name}_at_start": value for name, value in expected.items()})


def test_a_rectifier_is_dead_that_gives_nothing_for_a_whole_batch() -> None:
    layer = nn.Conv2d(1, 4, 1)
    layer.weight.data = torch.tensor([1.0, -1.0, 1.0, 0.0]).reshape(4, 1, 1, 1)
    layer.bias = nn.Parameter(torch.tensor([0.0, 0.0, -9.0, 0.0]))  # the third and the fourth never answer
    model = nn.Sequential(layer, nn.ReLU(), conv_to_one(4), nn.ReLU(), Classifier())
    found = probe("dead_relus")
    rows = look_at(found, model, batch([1.0, 2.0], [-1.0, 3.0]))
    assert [(row["layer"], row["channels"], row["share"]) for row in rows] == [("1", 4, 0.5), ("3", 1, 0.0)]
    assert values(found) == pytest.approx({"share": 0.4, "worst": 0.5, "share_at_start": 0.4, "worst_at_start": 0.5})


def conv_to_one(channels: int) -> nn.Conv2d:
    layer = nn.Conv2d(channels, 1, 1, bias=False)
    layer.weight.data.fill_(1.0)
    return layer


def test_the_gap_is_test_minus_train_of_the_last_measured_epoch() -> None:
    found = probe("gap")
    measured = {"train/error": 0.1, "test/error": 0.25, "train/loss": 1.0, "test/loss": 3.0}
    rows = []
    for epoch, row in enumerate((measured, {"lr": 0.1}), start=1):
        look = EpochLook(epoch, 5 * epoch, COURSE, row, cast(Trained, None))
        found.epoch_end(look)
        rows += told(look)
    assert values(found) == pytest.approx({"error": 0.15, "loss": 2.0})
    assert rows == [pytest.approx({"error": 0.15, "loss": 2.0})]


def test_moments_of_a_norm_before_and_after_its_scale_and_shift() -> None:
    norm = nn.BatchNorm2d(1, eps=1e-9)
    norm.weight.data.fill_(-2.0)
    norm.bias.data.fill_(3.0)
    found = probe("norm_moments")
    # Three zeros and a one: of p = 1/4, with the skewness (1 - 2 p) / √(p q) and the kurtosis (1 - 6 p q) / (p q).
    rows = look_at(found, nn.Sequential(norm, Classifier()), batch([0.0, 0.0, 0.0, 1.0]))
    pq = 3 / 16
    skewness, kurtosis = 0.5 / math.sqrt(pq), (1 - 6 * pq) / pq
    moments = [[row[name] for name in ("mean", "deviation", "skewness", "kurtosis")] for row in rows]
    assert [row["values"] for row in rows] == ["normalised", "scaled"]
    assert moments[0] == pytest.approx([0.0, 1.0, skewness, kurtosis], abs=1e-6)
    assert moments[1] == pytest.approx([3.0, 2.0, -skewness, kurtosis], abs=1e-6)
    assert values(found)["scaled_skewness"] == pytest.approx(skewness), "without its sign"
    assert values(found)["scaled_mean_at_start"] == pytest.approx(3.0)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("make", [lambda affine: nn.GroupNorm(1, 1, affine=affine), nn.Identity])
def test_norms_without_scale_and_of_other_kinds(make: Callable[[bool], nn.Module], affine: bool) -> None:
    norm = make(affine)
    model = nn.Sequential(pointwise(3.0), norm, Classifier())
    found = probe("norm_moments")
    if isinstance(norm, nn.Identity):
        assert found.nothing_in(model) == "the network has no norms"
        return
    rows = look_at(found, model, batch([1.0, -1.0], [2.0, -2.0]))
    assert rows[0]["deviation"] == pytest.approx(1.0, abs=1e-4)
    assert {**rows[1], "values": ""} == {**rows[0], "values": ""}


def test_a_norm_whose_values_are_all_the_same_has_no_shape() -> None:
    dead = nn.BatchNorm2d(1)
    dead.weight.data.zero_()
    model = nn.Sequential(nn.BatchNorm2d(1, eps=1e-9), dead, Classifier())
    found = probe("norm_moments")
    look_at(found, model, batch([1.0, -1.0]))
    assert values(found)["scaled_kurtosis"] == pytest.approx(-2.0), "of two values, of the other norm alone"
    assert values(found)["scaled_deviation"] == pytest.approx(0.5, abs=1e-3)


def test_the_sum_of_branches_explains_units_without_an_activation_behind_the_addition() -> None:
    found = probe("input_cosine")
    rows = look_at(found, nn.Sequential(Unit(0.5), Unit(-0.25), Classifier()), batch([1.0, -2.0], [3.0, 0.0]))
    assert [(row["cosine"], row["unexplained"]) for row in rows] == [pytest.approx((1.0, 0.0), abs=1e-6)] * 2
    assert values(found) == pytest.approx(
        {"cosine": 1.0, "unexplained": 0.0, "cosine_at_start": 1.0, "unexplained_at_start": 0.0}, abs=1e-6
    )


def test_an_activation_behind_the_addition_is_what_it_does_not_explain() -> None:
    found = probe("input_cosine")
    model = nn.Sequential(Unit(0.5, act=nn.ReLU()), Unit(1.0, Alone), Classifier())
    rows = look_at(found, model, batch([1.0, -1.0]))
    # (1, -1) -> (1.5, 0), where the sum says (1.5, -1.5); then -> (1.5, 0), where it says (3, -1.5).
    assert [row["cosine"] for row in rows] == pytest.approx([math.sqrt(0.5)] * 2)
    assert [row["unexplained"] for row in rows] == pytest.approx([1.0, math.sqrt(2)])


@pytest.mark.parametrize(("shortcut", "carried"), [(Add, 1.0), (Alone, 0.0)])
def test_an_update_changes_a_branch_by_a_larger_share_than_the_sum(shortcut: Any, carried: float) -> None:
    w = 0.25
    unit = Unit(w, shortcut)
    found = probe("relative_change")
    (row,) = look_at(found, nn.Sequential(unit, Classifier()), batch([1.0, 0.5], [1.0, 3.0]), rate=0.1)
    change = abs(unit.branch.weight.item() - w)
    assert change > 0
    assert (row["branch"], row["output"]) == pytest.approx((change / w, change / (carried + w)), rel=1e-4)
    assert values(found)["ratio"] == pytest.approx((carried + w) / w, rel=1e-4)


def test_what_a_network_draws_is_no_change() -> None:
    model = nn.Sequential(nn.Dropout(0.5), Unit(0.25), Classifier())
    (row,) = look_at(probe("relative_change"), model, torch.ones(8, 1, 4, 4), rate=0.0)
    assert (row["branch"], row["output"]) == (0.0, 0.0)


def test_seconds_of_the_parts_of_a_step() -> None:
    found = probe("step_seconds", looks=3)
    assert list(found.steps(COURSE)) == [1, 5, 8]
    for step in (1, 5, 8):  # 1 + step, 2 + step and half a second
        look_at(found, nn.Sequential(Classifier()), batch([1.0]), step=step)
    assert values(found) == {"forward": 6.0, "backward": 7.0, "update": 0.5, "backward_share": 7 / 13.5}


def test_steps_to_a_loss_are_those_before_the_mean_of_some_looks_is_below_it() -> None:
    found = probe("steps_to", losses=[1.0, 0.5, 0.01], every=2, over=2)
    assert found.columns == ("loss<1", "loss<0.5", "loss<0.01")
    assert list(found.steps(COURSE)) == [0, 2, 4, 6, 8]
    # Logits (a, -a) for the label 0: a loss of log(1 + exp(-2 a)).
    losses = [0.4, 1.7, 0.1, 0.6, 0.1]
    for step, loss in zip(found.steps(COURSE), losses, strict=True):
        a = -math.log(math.exp(loss) - 1) / 2
        rows = look_at(found, nn.Sequential(Classifier(a)), batch([1.0]), step=step)
    assert rows == [pytest.approx({"loss": 0.1, "mean": 0.35}, rel=1e-4)]
    assert values(found) == {"loss<1": 4.0, "loss<0.5": 6.0}, "one low loss is not enough, and 0.01 is not reached"
    later = probe("steps_to", losses=[1.0, 0.5, 0.01], every=2, over=2)
    later.load(json.loads(json.dumps(found.state())))
    assert values(later) == values(found)


class WithAux(nn.Module):
    """Two convolutions and a classifier; another classifier behind the first convolution."""

    aux_weight = 0.3

    def __init__(self, aux: float) -> None:
        super().__init__()
        self.below, self.above, self.head, self.side = pointwise(1.0), pointwise(1.0), Classifier(1.0), Classifier(aux)

    @property
    def aux_heads(self) -> dict[str, nn.Module]:
        return {"below": self.side}

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        below = self.below(x)
        return self.head(self.above(below)), [self.side(below)]


def test_an_auxiliary_classifier_like_the_main_one_pulls_the_same_way_with_its_weight() -> None:
    found = probe("aux_gradients")
    rows = {row["layer"]: row for row in look_at(found, WithAux(1.0), batch([1.0], [0.5]))}
    assert rows["below"]["aux"] == pytest.approx(0.3 * rows["below"]["main"])
    assert rows["above"]["aux"] == 0.0
    assert "cosine" not in rows["above"]
    assert list(rows) == ["below", "above", "head.linear"], "the auxiliary classifier itself has no main gradient"
    assert values(found) == pytest.approx(
        {name: value for column, value in (("ratio", 0.3), ("cosine", 1.0), ("mean_cosine", 1.0))
         for name in (column, f"{column}_at_start")}
    )  # fmt: skip


def test_an_auxiliary_classifier_with_the_opposite_sign_pulls_the_other_way() -> None:
    # δ·W is -2 p1 of the main classifier and 2 p0 of the other, with p1 / p0 = exp(-2 x).
    found = probe("aux_gradients")
    look_at(found, WithAux(-1.0), batch([0.5]))
    assert values(found)["cosine"] == pytest.approx(-1.0)
    assert values(found)["ratio"] == pytest.approx(0.3 * math.exp(1.0))


NOTHING = {
    "branch_size": "residual units", "input_cosine": "residual units", "relative_change": "residual units",
    "dead_relus": "no ReLU", "aux_gradients": "auxiliary classifiers", "response": "such convolutions",
}  # fmt: skip


@pytest.mark.parametrize("name", NOTHING)
def test_where_there_is_nothing_to_look_at_it_says_so(name: str) -> None:
    model = nn.Sequential(pointwise(1.0), nn.Tanh(), Classifier())
    assert NOTHING[name] in probe(name).nothing_in(model)


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("response", {"looks": 0}, r"^probes\.response\.looks=0: must be at least 1"),
        ("step_seconds", {"looks": -1}, r"^probes\.step_seconds\.looks=-1"),
        ("relative_change", {"images": 1}, r"^probes\.relative_change\.images=1: must be at least 2"),
        ("steps_to", {"losses": []}, r"^probes\.steps_to\.losses=\[\]: must be one number above 0 or more"),
        ("steps_to", {"losses": [-1.0]}, r"^probes\.steps_to\.losses=\[-1\.0\]"),
        ("steps_to", {"every": 0}, r"^probes\.steps_to\.every=0 and over=3: must be at least 1"),
        ("gradient_norm", {"every": -1}, r"^probes\.gradient_norm\.every=-1"),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        probe(name, **options)


@pytest.mark.parametrize("looks", [1, 2, 4])
def test_looks_are_spread_from_the_first_step_to_the_last(looks: int) -> None:
    steps = list(probe("response", looks=looks).steps(Course(6, 23)))
    assert (steps[0], steps[-1], len(steps)) == (0, 137 if looks > 1 else 0, looks)


def test_cosine_of_the_hand_made_units_is_that_of_torch() -> None:
    images = torch.randn(4, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(Unit(0.5, act=nn.ReLU()), Classifier())
    (row,) = look_at(probe("input_cosine"), model, images)
    expected = F.cosine_similarity(torch.relu(1.5 * images).flatten(1), images.flatten(1)).mean()
    assert row["cosine"] == pytest.approx(float(expected))
