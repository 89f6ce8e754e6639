"""What a data set gives is held against what it promises, wherever it is loaded."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ablate import DataSet, Framing, InputError, Samples, Split, Splits
from ablate.interfaces.splits import check_declared, check_first_images, check_splits, load_splits


class Coloured(DataSet):
    channels, size, classes, batch_size = 3, (4, 4), 10, 2

    def load(self) -> Splits:
        return WHOLE


class Files(Samples):
    def __init__(self, labels: Any = (0, 1), image: Any = None) -> None:
        self.labels = torch.tensor(labels) if isinstance(labels, tuple) else labels
        self.image = torch.zeros(3, 4, 4, dtype=torch.uint8) if image is None else image

    def read(self, index: int, size: tuple[int, int], framing: Framing) -> Tensor:
        return self.image


def split(samples: int = 5) -> Split:
    return Split(torch.zeros(samples, 3, 4, 4, dtype=torch.uint8), torch.zeros(samples, dtype=torch.int64))


WHOLE = Splits(split(), split(3))
ARE_TO_BE = r"; they are to be a tensor int64 \(N,\), for each image the number of its class, from 0 to 9"


def test_a_whole_data_set_passes() -> None:
    assert load_splits(Coloured()) is WHOLE
    check_splits(Coloured(), Splits(Files(), Files()))
    check_first_images(Coloured(), Splits(Files(), Files()))


def labelled(labels: Any) -> Splits:
    return replace(WHOLE, train=replace(split(), labels=labels))


def pictured(images: Any) -> Splits:
    return replace(WHOLE, train=replace(split(), images=images))


WRONG: list[tuple[Any, str]] = [
    (None, r"load gives None, not ablate\.Splits"),
    ((split(), split()), r"load gives a tuple, not ablate\.Splits\(train, test\)"),
    (Splits((split().images, split().labels), split()), r"its train split is a tuple, not an ablate\.Split or "),  # type: ignore[arg-type]
    (Splits(split(), None), "its test split is None, not"),  # type: ignore[arg-type]
    (replace(WHOLE, test=split(0)), "its test split is empty"),
    (replace(WHOLE, train=split(0)), "its train split is empty"),
    (
        pictured(torch.zeros(5, 1, 4, 4, dtype=torch.uint8)),
        r"holds images of uint8 \(5, 1, 4, 4\) \(N, C, H, W\), not ",
    ),
    (pictured(torch.zeros(5, 4, 4, 3, dtype=torch.uint8)), r"not uint8 \(5, 3, 4, 4\)"),
    (pictured(torch.full((5, 3, 4, 4), torch.nan)), "holds images of float32"),
    (pictured(np.zeros((5, 3, 4, 4), dtype=np.uint8)), r"holds images of a numpy\.ndarray \(5, 3, 4, 4\)"),
    (pictured(None), "holds images of None"),
    (replace(WHOLE, test=replace(split(3), images=split(2).images)), r"not uint8 \(3, 3, 4, 4\)"),
    (labelled(torch.tensor([0, 1, 10, 2, 11])), "its train split has label 10 at image 2; labels are 0 to 9"),
    (replace(WHOLE, test=replace(split(3), labels=torch.tensor([0, -1, 2]))), "its test split has label -1 at image 1"),
    (labelled(torch.zeros(5, dtype=torch.int32)), rf"its train split has labels of int32 \(5,\){ARE_TO_BE}"),
    (labelled(torch.zeros(5)), rf"labels of float32 \(5,\){ARE_TO_BE}"),
    (labelled(torch.zeros(5, dtype=torch.bool)), rf"labels of bool \(5,\){ARE_TO_BE}"),
    (labelled(torch.zeros(5, 1).long()), rf"labels of int64 \(5, 1\){ARE_TO_BE}"),
    (labelled(torch.zeros(5, 10).long()), rf"labels of int64 \(5, 10\){ARE_TO_BE}"),
    (labelled(torch.tensor(3)), rf"labels of int64 \(\){ARE_TO_BE}"),
    (labelled(np.zeros(5, dtype=np.int64)), rf"labels of a numpy\.ndarray \(5,\){ARE_TO_BE}"),
    (labelled([0, 1, 2, 3, 4]), f"labels of a list{ARE_TO_BE}"),
    (labelled(None), f"labels of None{ARE_TO_BE}"),
    (Splits(Files(torch.zeros(5, 1).long()), Files()), rf"its train split has labels of int64 \(5, 1\){ARE_TO_BE}"),
    (Splits(Files(), Files((0, 12))), "its test split has label 12 at image 1"),
    (Splits(Files(), Files(())), "its test split"),
    (replace(WHOLE, test=Files()), "one split is in memory and the other is not"),
]


@pytest.mark.parametrize(("splits", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_breaks_its_promise_is_one_line_that_names_the_file(splits: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        check_splits(Coloured(), splits)
    assert str(error.value).startswith(f"Coloured, {__file__}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.zeros(4, 4, 3, dtype=torch.uint8), r"reads an image of uint8 \(4, 4, 3\), not uint8 \(3, 4, 4\)"),
        (torch.zeros(3, 4, 4), "reads an image of float32"),
        (np.zeros((3, 4, 4), dtype=np.uint8), r"reads an image of a numpy\.ndarray"),
    ],
)
def test_an_image_that_is_read_is_of_the_shape_that_is_promised(image: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"its test split {message}"):
        check_first_images(Coloured(), Splits(Files(), Files(image=image)))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("batch_size", 0, "batch_size is 0, not a whole number of at least 1"),
        ("batch_size", "16", "batch_size is '16', not a whole number"),
        ("batch_size", True, "batch_size is True, not"),
        ("channels", None, "channels is None, not"),
        ("classes", 1, "classes is 1, not a whole number of at least 2"),
        ("size", 8, "size is 8, not two whole numbers, height and width"),
        ("size", (8, 8.0), "size is .*, not two whole numbers"),
        ("samples", (64,), "samples is .*, not two whole numbers, training and test images"),
    ],
)
def test_what_it_says_of_itself_makes_sense(name: str, value: Any, message: str) -> None:
    data = Coloured()
    setattr(data, name, value)
    with pytest.raises(InputError, match=message) as error:
        check_declared(data)
    assert __file__ in str(error.value)


# As a user meets it

TOY = '''
import torch
from ablate import DataSet, Split, Splits, register


def part(n, labels):
    return Split(torch.zeros(n, 1, 8, 8, dtype=torch.uint8), labels(torch.arange(n) % 2))


@register("data", "toy")
class Toy(DataSet):
    """A toy."""

    channels, size, classes, batch_size = 1, (8, 8), 2, 16

    def load(self):
        return {load}
'''
LOADS = {
    "int32": "Splits(part(64, lambda x: x.int()), part(32, lambda x: x))",
    "one-hot": "Splits(part(64, lambda x: x), part(32, lambda x: torch.eye(2).long()[x]))",
    "nothing": "None",
    "an error": "open('/gone.npz')",
}


@pytest.mark.parametrize("verb", [[], ["plan"]], ids=["run", "plan"])
@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_labels_end_a_command_before_training(
    here: Path, refused: Callable[..., str], load: str, verb: list[str]
) -> None:
    (here / "plugins").mkdir()
    file = here / "plugins" / "toy.py"
    file.write_text(inspect.cleandoc(TOY.replace("{load}", load)), encoding="utf-8")
    said = refused(*verb, "data=toy", "depth=8", "width=0.25", "augment=none", "trainer.epochs=1")
    assert str(file) in said
    assert not (here / "runs").exists(), "nothing was trained"
