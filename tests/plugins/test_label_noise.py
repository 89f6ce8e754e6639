"""Wrong labels: how many, which, and what stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from ablate import DataSet, InputError, Split, registry
from ablate.config.compose import prepare
from tests.cells import tiny_cell


def build(name: str = "label_noise", **options: Any) -> DataSet:
    prepare()
    return registry.build("data", {"name": name, **options})


def load(data: DataSet) -> tuple[Split, Split]:
    splits = data.load()
    return cast(Split, splits.train), cast(Split, splits.test)


def wrong(**options: Any) -> tuple[Tensor, Tensor]:
    """Which of the scans are labelled wrong, and the labels of all."""
    (noisy, _), (clean, _) = load(build(**options)), load(build("digits"))
    return noisy.labels != clean.labels, noisy.labels


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.1, 144), (0.5, 718), (1.0, 1437)])
def test_just_the_share_of_training_labels_is_wrong(share: float, count: int) -> None:
    assert wrong(share=share)[0].sum() == count  # of 1,437; 718.5 rounds to the even 718


def test_images_and_all_that_is_tested_stay_as_they_are() -> None:
    for noisy, clean in zip(load(build(share=1.0)), load(build("digits")), strict=True):
        assert torch.equal(noisy.images, clean.images)
    assert torch.equal(load(build(share=1.0))[1].labels, load(build("digits"))[1].labels)


def test_a_wrong_label_is_any_of_the_other_classes_and_any_image_may_have_one() -> None:
    (clean, _), labels = load(build("digits")), wrong(share=1.0)[1]
    shifts = torch.bincount((labels - clean.labels) % 10, minlength=10)
    assert shifts[0] == 0
    # Of 1,437, a ninth each: 160 with a standard deviation of 12.
    assert shifts[1:].min() > 110
    assert shifts[1:].max() < 210
    by_class = torch.bincount(clean.labels[wrong(share=0.5)[0]], minlength=10) / torch.bincount(clean.labels)
    assert by_class.min() > 0.35
    assert by_class.max() < 0.65


def test_a_larger_share_adds_to_a_smaller_one() -> None:
    (few, labels), (many, others) = wrong(share=0.1), wrong(share=0.3)
    assert bool(many[few].all())
    assert torch.equal(labels[few], others[few])


def test_which_they_are_is_fixed_whatever_else_is_drawn() -> None:
    torch.manual_seed(5)
    where, labels = wrong()
    assert where.nonzero().flatten()[:5].tolist() == [2, 8, 9, 10, 14]
    assert labels[where][:5].tolist() == [6, 4, 1, 9, 3], "other labels: earlier results do not compare"
    assert not torch.equal(wrong(seed=1)[0], where)


def test_it_can_be_of_other_images(tmp_path: Path) -> None:
    options = {"train": 50, "test": 20, "cache": tmp_path}
    noisy, clean = (
        load(one)[0] for one in (build(of="cluttered_digits", **options), build("cluttered_digits", **options))
    )
    assert torch.equal(noisy.images, clean.images)
    assert (noisy.labels != clean.labels).sum() == 5


def test_it_is_part_of_what_a_cell_is() -> None:
    ids = [tiny_cell("data=label_noise", *options).id for options in ([], ["data.share=0.2"], ["data.seed=1"])]
    assert len({*ids, tiny_cell().id}) == 4
    assert tiny_cell("data=label_noise", "data.cache=/nowhere").id == ids[0]


def test_a_scale_says_how_much_of_it_is_taken() -> None:
    data = tiny_cell("data=label_noise", "scale=tiny").config["data"]
    assert (data["train"], data["test"], data["batch_size"]) == (128, 64, 32)
    assert build(**{name: data[name] for name in ("train", "test")}).samples == (128, 64)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": -0.1}, r"data\.share=-0.1: must be from 0 to 1"),
        ({"share": 1.5}, r"data\.share=1.5: must be from 0 to 1"),
        ({"share": float("nan")}, r"data\.share=nan: must be from 0 to 1"),
        ({"seed": -1}, r"data\.seed=-1"),
        ({"train": 2000}, r"data\.train=2000: from 1 to 1437"),
        ({"of": "cifar10"}, "digits, cluttered_digits|cifar10"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(**options)
