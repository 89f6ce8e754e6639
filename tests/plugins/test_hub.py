"""Sets of the Hugging Face hub: with a stand-in for the library, and with the library on a local folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from ablate import DataSet, InputError, Samples, Split, registry
from ablate.config.compose import prepare
from ablate.study.plan import plan_study


def build(name: str = "hub", **options: Any) -> DataSet:
    prepare()
    own = {"path": "someone/pictures", "classes": 3, "size": 8} if name == "hub" else {"source": "hub"}
    return registry.build("data", {"name": name, **own, **options})


class Rows:
    """As much of a `datasets.Dataset` as is used."""

    def __init__(self, columns: dict[str, list[Any]], fingerprint: str = "one") -> None:
        self._fingerprint = fingerprint
        self.columns = columns
        self.column_names = list(columns)

    def __getitem__(self, key: str | int) -> Any:
        if isinstance(key, str):
            return self.columns[key]
        return {name: values[key] for name, values in self.columns.items()}


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Put a stand-in for `datasets` into place; returns what is asked of it."""

    def install(load: Callable[[str], Any]) -> list[Any]:
        asked: list[Any] = []

        def load_dataset(path: str, config: str | None, *, split: str) -> Any:
            asked.append((path, config, split))
            return load(split)

        module = ModuleType("datasets")
        module.load_dataset = load_dataset  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "datasets", module)
        monkeypatch.setitem(sys.modules, "PIL", sys.modules.get("PIL", ModuleType("PIL")))
        if not hasattr(sys.modules["PIL"], "Image"):
            monkeypatch.setattr(sys.modules["PIL"], "Image", ModuleType("PIL.Image"), raising=False)
        return asked

    return install


def labelled(labels: list[Any]) -> Rows:
    return Rows({"image": [None] * len(labels), "label": labels})


HUB_NAMES = {
    "cifar10": ("uoft-cs/cifar10", None, "img", "label"),
    "cifar100": ("uoft-cs/cifar100", None, "img", "fine_label"),
    "mnist": ("ylecun/mnist", None, "image", "label"),
    "fashion_mnist": ("zalando-datasets/fashion_mnist", None, "image", "label"),
    "svhn": ("ufldl-stanford/svhn", "cropped_digits", "image", "label"),
}


@pytest.mark.parametrize("name", HUB_NAMES)
def test_the_named_sets_know_their_place_on_the_hub(name: str, hub: Callable[..., list[Any]]) -> None:
    path, config, image, label = HUB_NAMES[name]
    asked = hub(lambda split: Rows({image: [], label: []}))
    build(name).check()
    assert asked == [(path, config, "train"), (path, config, "test")]


def test_any_set_is_asked_for_by_the_names_of_its_parts(hub: Callable[..., list[Any]]) -> None:
    asked = hub(lambda split: Rows({"photo": [None], "kind": [1]}))
    build(config="small", train="fit", test="held_out", image="photo", label="kind").check()
    assert asked == [("someone/pictures", "small", "fit"), ("someone/pictures", "small", "held_out")]


def test_a_column_that_is_not_there_is_named(hub: Callable[..., list[Any]]) -> None:
    hub(lambda split: Rows({"photo": [None], "label": [1]}))
    with pytest.raises(InputError, match="someone/pictures has no column image; it has photo, label"):
        build().check()


@pytest.mark.parametrize("odd", ["dog", 1.5, None])
def test_labels_that_are_no_whole_numbers_are_refused(hub: Callable[..., list[Any]], odd: Any) -> None:
    hub(lambda split: labelled([0, odd]))
    with pytest.raises(InputError, match=r"someone/pictures, split train: column label .* whole numbers") as error:
        build(resize=8).load()
    assert repr(odd) in str(error.value)


def test_no_network_is_one_line_that_says_what_to_do(hub: Callable[..., list[Any]]) -> None:
    def offline(split: str) -> Any:
        raise ConnectionError("Couldn't reach\nthe Hub")

    hub(offline)
    with pytest.raises(InputError) as error:
        build().check()
    assert str(error.value) == (
        "cannot load split train of someone/pictures from the Hugging Face hub (ConnectionError: Couldn't reach the "
        "Hub); where there is no network, load it once where there is one and copy the hub's cache (HF_HOME)"
    )


def test_the_extra_is_named_where_the_library_is_missing(
    hub: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub(labelled)
    monkeypatch.setitem(sys.modules, "datasets", None)
    for name in ("hub", "cifar10"):
        with pytest.raises(InputError, match=r"needs `datasets`: pip install 'datasets>=4\.0'"):
            build(name).check()


@pytest.mark.parametrize(("options", "message"), [({"classes": 1}, r"data\.classes=1"), ({"size": 0}, r"data\.size=0")])
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(**options)


# Pictures


@pytest.fixture
def pillow() -> Any:
    return pytest.importorskip("PIL.Image", reason="needs the extra `images`")


def pictures(pillow: Any, samples: int, size: tuple[int, int] = (8, 8), fingerprint: str = "one") -> Rows:
    arrays = [np.full((*size, 3), 10 * n, dtype=np.uint8) for n in range(samples)]
    columns = {"image": [pillow.fromarray(one) for one in arrays], "label": [n % 3 for n in range(samples)]}
    return Rows(columns, fingerprint)


def test_pictures_of_the_size_are_kept_in_memory(hub: Callable[..., list[Any]], pillow: Any) -> None:
    hub(lambda split: pictures(pillow, 7 if split == "train" else 3))
    splits = build().load()
    assert isinstance(splits.train, Split)
    assert splits.train.images[:, 1, 2, 3].tolist() == [0, 10, 20, 30, 40, 50, 60]
    assert splits.train.labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert splits.test.labels.tolist() == [0, 1, 2]


def test_pictures_are_decoded_once(hub: Callable[..., list[Any]], pillow: Any, cache: Path) -> None:
    hub(lambda split: pictures(pillow, 5))
    first = build().load()
    hub(lambda split: labelled([0] * 5))  # the same set, whose pictures cannot be read any more
    again = build().load()
    assert isinstance(first.train, Split)
    assert isinstance(again.train, Split)
    assert torch.equal(again.train.images, first.train.images)
    assert torch.equal(again.train.labels, first.train.labels)
    hub(lambda split: pictures(pillow, 4, fingerprint="another"))
    assert len(build().load().train.labels) == 4, "another version of the set is another file"
    with pytest.raises(InputError, match="is 8x8 pixels, not 9x9"):
        build(size=9).load()
    for kept in cache.rglob("*.npz"):
        kept.write_bytes(kept.read_bytes()[:100])
    assert len(build().load().train.labels) == 4, "what is damaged is made again"


def test_pictures_of_another_size_are_named_or_scaled(hub: Callable[..., list[Any]], pillow: Any) -> None:
    hub(lambda split: pictures(pillow, 3, (9, 8)))
    with pytest.raises(
        InputError, match=r"someone/pictures, split train, image 0 is 9x8 pixels, not 8x8; data\.resize"
    ):
        build().load()
    splits = build(resize=8).load()
    assert isinstance(splits.train, Samples)
    image = splits.train.read(2, (8, 8), lambda height, width: None)
    assert torch.equal(image, torch.full((3, 8, 8), 20, dtype=torch.uint8))


def test_a_split_without_pictures_is_named(hub: Callable[..., list[Any]], pillow: Any) -> None:
    hub(lambda split: pictures(pillow, 3 if split == "train" else 0))
    with pytest.raises(InputError, match="someone/pictures, split test is empty"):
        build().load()


def test_a_row_without_a_picture_is_named(hub: Callable[..., list[Any]], pillow: Any) -> None:
    hub(lambda split: labelled([0, 1]))
    with pytest.raises(InputError, match="someone/pictures, split train, image 0 cannot be read as a picture"):
        build().load()


def test_the_library_itself_reads_a_local_folder(pillow: Any, tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="needs the extra `hf`")
    for part, samples in (("train", 4), ("test", 2)):
        for name in ("ant", "bee", "cat"):
            (tmp_path / part / name).mkdir(parents=True)
            for n in range(samples):
                pillow.fromarray(np.full((8, 8, 3), 40 * n, dtype=np.uint8)).save(tmp_path / part / name / f"{n}.png")
    splits = build(path=str(tmp_path)).load()
    assert isinstance(splits.train, Split)
    assert splits.train.images.shape == (12, 3, 8, 8)
    assert sorted(splits.train.labels.tolist()) == [0] * 4 + [1] * 4 + [2] * 4
    assert splits.test.images.shape == (6, 3, 8, 8)


def test_who_only_plans_asks_nobody_for_a_set_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason="needs the extra hf")
    asked: list[object] = []

    def reached_out(*arguments: object, **options: object) -> object:
        asked.append(arguments)
        raise OSError("no network")

    monkeypatch.setattr("socket.getaddrinfo", reached_out)
    (cell,) = plan_study(["data=cifar10", "data.source=hub", "depth=8"]).cells
    assert cell.provisional == ("data.content",)
    assert asked == []
    assert not datasets.config.HF_HUB_OFFLINE
