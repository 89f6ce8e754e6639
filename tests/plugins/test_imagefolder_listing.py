"""Folders of pictures: what lies where, and what listing them can know."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablate import InputError, registry
from ablate.config.compose import prepare
from tests.cells import tiny_cell
from tests.folders import COLORS, build, touch


@pytest.fixture
def names(tmp_path: Path) -> Path:
    """Files of the right names, with no pictures in them."""
    touch(tmp_path, *(f"{part}/{name}/{n}.JPEG" for part in ("train", "val") for name in COLORS for n in (1, 2)))
    return tmp_path


@pytest.fixture
def without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)


def test_a_missing_folder_says_what_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        build(tmp_path).check()
    assert str(error.value) == (
        f"no folder {tmp_path}/train: put the pictures into {tmp_path}/train/CLASS/ and {tmp_path}/val/CLASS/, "
        "or set data.root"
    )
    with pytest.raises(InputError, match=f"no folder {tmp_path}/train"):
        build(tmp_path, "imagenet").check()


def test_a_class_that_train_lacks_is_named(names: Path) -> None:
    touch(names, "val/dog/1.JPEG")
    with pytest.raises(InputError, match=f"{names}/val has classes that train lacks: dog"):
        build(names).check()


def test_another_number_of_classes_is_named(names: Path) -> None:
    with pytest.raises(InputError, match=rf"{names}/train has 3 classes \(ant, bee, cat\), and data.classes=4"):
        build(names, classes=4).check()
    with pytest.raises(InputError, match=rf"{names}/train has 3 classes \(.*\), and data.classes=1000"):
        build(names, "imagenet").check()


def test_of_many_folders_the_first_are_named(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{part}/c{n}/1.png" for part in ("train", "val") for n in range(9)))
    with pytest.raises(InputError, match=r"has 9 classes \(c0, c1, c2, c3, c4 and 4 more\), and data.classes=3"):
        build(tmp_path).check()


@pytest.mark.parametrize("hidden", [".ipynb_checkpoints", ".git", "._ant"])
def test_hidden_folders_are_no_classes(names: Path, hidden: str) -> None:
    touch(names, f"train/{hidden}/1.png", f"val/{hidden}/1.png")
    (names / "train" / f"{hidden}2").mkdir()
    splits = build(names).load()
    assert (splits.train.labels.tolist(), splits.test.labels.tolist()) == ([0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize("left", ["._1.JPEG", ".DS_Store", "Thumbs.db", "desktop.ini"])
def test_what_a_system_leaves_in_a_folder_is_no_picture(names: Path, left: str) -> None:
    touch(names, f"train/ant/{left}")
    assert len(build(names).load().train.labels) == 6


def unsorted(root: Path) -> None:
    shutil.rmtree(root / "val")
    touch(root, *(f"val/ILSVRC2012_val_0000000{n}.JPEG" for n in range(7)))


def linked(root: Path) -> None:
    (root / "train/ant/9.JPEG").symlink_to("/gone/9.JPEG")


def circle(root: Path) -> None:
    (root / "train/ant/9.JPEG").symlink_to(root / "train/ant/9.JPEG")


def loop(root: Path) -> None:
    (root / "train/bee/inner").symlink_to(root / "train")


def pipe(root: Path) -> None:
    os.mkfifo(root / "val/cat/9.JPEG")


def without(name: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        shutil.rmtree(root / name)

    return spoil


def emptied(name: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        without(name)(root)
        (root / name).mkdir()

    return spoil


UNFIT: dict[str, tuple[Callable[[Path], None], str]] = {
    "unsorted": (unsorted, "{0}/val holds pictures outside of folders of classes (ILSVRC2012_val_00000000.JPEG"),
    "how to sort": (unsorted, "JPEG and 2 more); sort them into {0}/val/CLASS/"),
    "half sorted": (lambda root: touch(root, "train/1.png"), "{0}/train holds pictures outside of folders of classes"),
    "no classes": (emptied("val"), "put the pictures into {0}/val"),
    "no test pictures": (without("val"), "no folder {0}/val"),
    "dangling link": (linked, "{0}/train/ant/9.JPEG is a link that leads to /gone/9.JPEG, which is not here"),
    "link to itself": (circle, "{0}/train/ant/9.JPEG is a link that leads in a circle"),
    "folder loop": (loop, "{0}/train/bee holds what is no picture: inner"),
    "empty folder": (emptied("train/ant"), "{0}/train/ant holds no pictures"),
    "empty test folder": (emptied("val/cat"), "{0}/val/cat holds no pictures"),
    "one folder more": (lambda root: (root / "train/dog").mkdir(), "4 classes (ant, bee, cat, dog), and data"),
    "empty file": (lambda root: (root / "val/cat/2.JPEG").write_bytes(b""), "{0}/val/cat holds empty files: 2.JPEG"),
    "folder for a file": (lambda root: (root / "val/cat/9.png").mkdir(), "{0}/val/cat holds what is no file: 9.png"),
    "named pipe": (pipe, "{0}/val/cat holds what is no file: 9.JPEG"),
    "another class": (lambda root: touch(root, "val/dog/1.JPEG"), "{0}/val has classes that train lacks: dog"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "message"), UNFIT.values(), ids=UNFIT)
def test_what_listing_can_know_is_one_line_for_a_plan_and_for_a_run(
    names: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(names)
    for asked in ("look", "check", "load"):
        with pytest.raises(InputError) as error:
            getattr(build(names), asked)()
        assert message.format(names) in str(error.value)
        assert "\n" not in str(error.value)


def test_where_nothing_is_a_plan_does_without(tmp_path: Path) -> None:
    assert build(tmp_path).look() is False


def test_the_extra_is_named_where_pillow_is_missing(names: Path, without_pillow: None) -> None:
    with pytest.raises(InputError, match=r"needs Pillow: pip install 'pillow>=11'"):
        build(names).check()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 1}, r"data\.classes=1"),
        ({"size": 0}, r"data\.size=0"),
        ({"resize": 15}, r"data\.resize=15: must be at least data\.size, which is 16"),
        ({"channels": 2}, r"data\.channels=2: 1 for grey"),
        ({"batch_size": 0}, r"data\.batch_size=0"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(tmp_path, **options)


def test_the_number_of_classes_must_be_said() -> None:
    prepare()
    with pytest.raises(InputError, match=r"data 'imagefolder' needs a value: data\.classes="):
        registry.build("data", {"name": "imagefolder"})


def test_imagenet_is_1000_classes_of_224_out_of_256_pixels(tmp_path: Path) -> None:
    data: Any = build(tmp_path, "imagenet")
    assert (data.classes, data.size, data.resize, data.channels) == (1000, (224, 224), 256, 3)
    assert tiny_cell("data=imagenet", "data.root=elsewhere").id == tiny_cell("data=imagenet").id
