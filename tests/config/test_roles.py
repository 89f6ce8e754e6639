"""What each key of a config decides follows from its declaration."""

from __future__ import annotations

from typing import Any

import pytest

from ablate import register, registry
from ablate.config.compose import compose, prepare
from ablate.config.roles import (
    declared_keys,
    has_effect,
    is_comparable,
    is_plugin_key,
    network_keys,
    pace_text,
    shape_text,
)
from ablate.registry.kinds import KINDS, Kind, declare
from ablate.registry.roles import Role
from ablate.study.section import container

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones


def config_of(*overrides: str) -> dict[str, Any]:
    return container(compose(["depth=8", *overrides]))


def test_every_key_outside_of_plugins_is_declared_once() -> None:
    keys = declared_keys()
    assert {"depth", "width", "seed", "study", "trainer.epochs", "trainer.threads"} <= set(keys)
    assert not any(key.startswith("study.") for key in keys), "a section that is declared as a whole is one key"
    assert [key for key in keys if key.startswith("trainer.")] == [f"trainer.{name}" for name in config_of()["trainer"]]


def test_a_network_is_made_of_its_parts_and_sizes() -> None:
    parts = ("backbone", "block", "order", "shortcut", "stem", "head", "aux", "norm", "act")
    assert network_keys() == (*parts, "depth", "width")


@pytest.mark.parametrize(
    ("key", "comparable"),
    [
        ("depth", True),
        ("order", True),
        ("optim.lr", True),
        ("norm/group", True),
        ("trainer.epochs", True),
        ("trainer", True),
        ("seed", False),
        ("scale", False),
        ("runs", False),
        ("rerun", False),
        ("study.seeds", False),
        ("engine.slots", False),
        ("exp", False),
        ("hydra.mode", False),
    ],
)
def test_what_is_compared_is_told_from_how_a_study_runs(key: str, comparable: bool) -> None:
    assert is_comparable(key) is comparable


@pytest.mark.parametrize(
    ("key", "effect"),
    [
        ("depth", True),
        ("trainer.epochs", True),
        ("trainer.precision", True),
        ("optim", True),
        ("evaluation", True),
        ("trainer.eval_every", False),
        ("trainer.epochs_to", False),
        ("trainer.threads", False),
        ("trainer.compile", False),
    ],
)
def test_what_changes_training_is_told_from_what_is_measured_and_how_it_is_computed(key: str, effect: bool) -> None:
    assert has_effect(key) is effect


@pytest.mark.parametrize(
    ("key", "belongs"), [("optim.lr", True), ("norm", True), ("engine.slots", False), ("trainer.epochs", False)]
)
def test_keys_of_plugins_that_decide_numbers(key: str, belongs: bool) -> None:
    assert is_plugin_key(key) is belongs


@pytest.mark.parametrize(
    ("override", "shape", "pace"),
    [
        ("width=0.75", True, True),
        ("order=pre", True, True),
        ("data.batch_size=32", True, True),
        ("trainer.checkpoint_blocks=true", True, True),
        ("augment=shift", False, True),
        ("optim=adamw", False, True),
        ("trainer.precision=bf16", False, True),
        ("trainer.threads=2", False, True),
        ("optim.lr=0.2", False, False),
        ("schedule=cosine", False, False),
        ("init.mode=fan_in", False, False),
        ("seed=1", False, False),
        ("trainer.epochs=3", False, False),
        ("engine.slots=2", False, False),
    ],
)
def test_what_decides_the_shape_of_a_network_and_its_pace(override: str, shape: bool, pace: bool) -> None:
    plain, other = config_of(), config_of(override)
    assert (shape_text(plain) != shape_text(other), pace_text(plain) != pace_text(other)) == (shape, pace)


def test_a_config_that_is_older_than_a_key_has_a_pace() -> None:
    config = config_of()
    trainer = {key: value for key, value in config["trainer"].items() if key != "threads"}
    assert pace_text({**config, "trainer": trainer})


def test_a_kind_is_known_everywhere_by_its_declaration() -> None:
    with registry.isolated():
        declare(Kind("pool", "how maps shrink", Role.NETWORK, default="none", before="none", sets_pace="options"))

        @register("pool", "none")
        def none() -> None:
            """Nothing new."""

        @register("pool", "blur")
        def blur(*, size: int = 3) -> None:
            """A blur before each stride."""

        assert "pool" in network_keys()
        assert is_comparable("pool.size")
        assert is_plugin_key("pool.size")
        assert shape_text(config_of("pool=blur")) != shape_text(config_of())
    assert "pool" not in KINDS
    assert "pool" not in network_keys()
