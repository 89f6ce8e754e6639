"""Every built-in plugin keeps the contract of its kind."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ablate import registry, testing
from ablate.config.compose import prepare

from .. import published

# To build a plugin with, where its defaults do not fit the smallest networks or lack a value.
OPTIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("augment", "chain"): {"steps": ["crop_flip", "color_pca", "resized_crop"]},
    ("data", "cluttered_digits"): {"train": 30, "test": 20},
    ("data", "hub"): {"classes": 3, "size": 8, "resize": 10},
    ("data", "imagefolder"): {"classes": 3, "size": 8, "resize": 10},
    ("engine", "local"): {"slots": 2},
    ("head", "fc"): {"hidden": [16, 8], "dropout_at": "inputs", "grid": 2},
    ("head", "rbf"): {"hidden": [16], "grid": 2},
    ("measurement", "line"): {"to": "other"},
    ("norm", "group"): {"groups": 4},
    ("tracker", "wandb"): {"mode": "offline"},
    ("probe", "steps_to"): {"losses": [3.0]},  # which the few steps of these cells reach
}
# What the network around a part needs besides.
CHANGES: dict[tuple[str, str], dict[str, Any]] = {("backbone", "vgg"): {"depth": 11}}
# Overrides of the network around what looks on.
NETWORK: dict[tuple[str, str], tuple[str, ...]] = {
    ("measurement", "by_size"): ("data=cluttered_digits", "data.cache=made", "data.train=40", "data.test=30"),
    ("probe", "aux_gradients"): ("aux=linear", "aux.at=[stage2]"),
}
# What is not the same in each run.
VARYING: dict[tuple[str, str], tuple[str, ...]] = {
    ("probe", "step_seconds"): ("forward", "backward", "update", "backward_share")
}


def in_database(suite: Any, folder: Path) -> list[str]:
    """What lies in the database of a store."""
    with closing(sqlite3.connect(folder.parent / "mlflow.db")) as database:
        return list(database.iterdump())


# Where a tracker keeps what it makes, if not in the study's folder.
MIRRORED: dict[tuple[str, str], Any] = {("tracker", "mlflow"): in_database}
# Modules of the extra that a plugin needs.
EXTRAS: dict[tuple[str, str], str] = {("tracker", "mlflow"): "sqlalchemy", ("tracker", "tensorboard"): "tensorboard"}
# Each test starts a process or makes a database of its own; their other tests are among those of every run.
SLOW = {("tracker", "wandb"), ("tracker", "mlflow")}
# What a plugin cannot pass, and why.
FEW = {"test_it_has_as_many_samples_as_it_says": "the files that are written here hold a few of its images"}
EXPECTED_FAILURES: dict[tuple[str, str], dict[str, str]] = {
    ("data", name): FEW for name in ("cifar10", "cifar100", "fashion_mnist", "imagenet", "mnist", "svhn")
}


def pictures(folder: Path, names: list[str], *, train: str = "train", test: str = "val") -> None:
    """A picture of noise in each class of both splits."""
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    image.fromarray(noise).save(buffer, "png")
    for part in (train, test):
        for name in names:
            (folder / part / name).mkdir(parents=True)
            (folder / part / name / "1.png").write_bytes(buffer.getvalue())


def write(name: str, folder: Path) -> dict[str, Any]:
    """Tiny files in the format of a data set, and the options that say where they lie."""
    match name:
        case "cifar10":
            published.write_cifar10(folder)
        case "cifar100":
            published.write_cifar100(folder)
        case "mnist" | "fashion_mnist":
            published.write_mnist(folder, name=name)
        case "svhn":
            published.write_svhn(folder)
        case "imagefolder":
            pictures(folder, ["ant", "bee", "cat"])
        case "imagenet":
            pictures(folder, [f"n{number:08}" for number in range(1000)])
        case "hub":
            pytest.importorskip("datasets", reason="needs Hugging Face `datasets`")
            pictures(folder, ["ant", "bee", "cat"], test="test")
            return {"path": str(folder)}
        case "cluttered_digits":
            return {"cache": folder}
        case _:
            return {}
    return {"root": folder}


def suites() -> dict[str, type]:
    prepare()
    found: dict[str, type] = {}
    for entry in registry.entries():
        if entry.kind not in testing.SUITES:
            continue  # told below
        key = entry.kind, entry.name
        suite: type[testing.Conformance] = testing.SUITES[entry.kind]
        members: dict[str, Any] = {"name": entry.name, "__module__": __name__, "options": OPTIONS.get(key, {})}
        members["expected_failures"] = EXPECTED_FAILURES.get(key, {})
        if key in CHANGES:
            members["changes"] = CHANGES[key]
        members |= {name: table[key] for name, table in (("overrides", NETWORK), ("varying", VARYING)) if key in table}
        if key in MIRRORED:
            members["mirrored"] = MIRRORED[key]
        if entry.kind == "data":
            members["prepare"] = lambda self, folder: write(self.name, folder)
        if key == ("aux", "none"):
            suite, members["kind"] = testing.PartConformance, "aux"  # there is no classifier to be tested
        test = f"Test_{entry.kind}_{entry.name}"
        found[test] = type(test, (suite,), members)
        if key in SLOW:
            found[test] = pytest.mark.slow(found[test])
        if key in EXTRAS and find_spec(EXTRAS[key]) is None:
            found[test] = pytest.mark.skip(f"needs the extra `{entry.name}`")(found[test])
    return found


globals().update(suites())


def test_every_kind_has_a_suite() -> None:
    assert [kind for kind in registry.KINDS if kind not in testing.SUITES] == []


@pytest.mark.parametrize("table", [OPTIONS, CHANGES, EXPECTED_FAILURES, NETWORK, VARYING, MIRRORED, EXTRAS])
def test_the_tables_name_plugins(table: dict[tuple[str, str], Any]) -> None:
    known = {(entry.kind, entry.name) for entry in registry.entries()}
    assert [key for key in table if key not in known] == []
