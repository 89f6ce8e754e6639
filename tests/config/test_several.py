"""Kinds of which a study takes any number: probes, measurements, callbacks, trackers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from ablate import InputError, Measured, Measurement, Probe, Trained, compose, register, registry
from ablate.cli.commands import dispatch
from ablate.config.compose import prepare
from ablate.study.plan import plan_study
from tests.studies import planned

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones


class Nothing(Measurement):
    def measure(self, trained: Trained) -> Measured:
        return Measured({})


MADE: dict[str, Any] = {"probe": Probe, "measurement": Nothing, "callback": pl.Callback, "tracker": object}
GROUPS = ("probes", "measurements", "callbacks", "tracker")
KINDS = ("probe", "measurement", "callback", "tracker")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A plugin `mine` and a plugin `other` of each kind."""
    monkeypatch.chdir(tmp_path)
    with registry.isolated():
        for kind in KINDS:

            @register(kind, "mine")
            def mine(kind: str = kind, *, size: int = 3) -> Any:
                """Mine."""
                return MADE[kind]()

            @register(kind, "other")
            def other(kind: str = kind, *, size: int = 4, project: str | None = None) -> Any:
                """Another one."""
                return MADE[kind]()

        yield tmp_path


def chosen(*typed: str) -> dict[str, Any]:
    """The plugins that these overrides choose, by group."""
    config = compose(typed)
    return {group: dict(config[group]) for group in GROUPS if config[group]}


MINE = {"name": "mine", "size": 3}
OTHER = {"name": "other", "size": 4, "project": None}


@pytest.mark.parametrize("group", GROUPS)
def test_any_number_is_chosen_by_name(group: str) -> None:
    assert chosen() == {}
    assert chosen(f"{group}=mine") == {group: {"mine": MINE}}
    assert chosen(f"{group}=[mine]") == {group: {"mine": MINE}}
    assert chosen(f"{group}=[other,mine]") == {group: {"other": OTHER, "mine": MINE}}
    for nothing in ("none", "[]", "null", "[none]"):
        assert chosen(f"{group}={nothing}") == {}


@pytest.mark.parametrize("group", GROUPS)
def test_options_are_set_by_the_plugins_name_also_for_one(group: str) -> None:
    assert chosen(f"{group}=other", f"{group}.other.project=x")[group]["other"]["project"] == "x"
    assert chosen(f"{group}=[mine,other]", f"{group}.mine.size=7")[group]["mine"]["size"] == 7


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        (["probes=mnie"], "unknown probes 'mnie'; did you mean 'mine'?"),
        (["probes=[mnie,other]"], "unknown probes 'mnie'; did you mean 'mine'?"),
        (["probes=[mine]", "probes.mine.sise=3"], "unknown key 'probes.mine.sise'; did you mean 'probes.mine.size'?"),
        (["probes=[mine]", "probes.mine.size=x"], "Value 'x' of type 'str' could not be converted to Integer"),
        (["probes.mine.size=3"], "choose it first, as probes=[mine]"),
        (["tracker=other", "tracker.project=x"], "an option is set as tracker.NAME.project=..."),
        (["callbacks=3"], "'callbacks=3': callbacks is chosen by a name"),
        (["+measurements.mine={name:mine}"], "builds on a plugin"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_the_nearest_name(typed: list[str], reason: str) -> None:
    with pytest.raises(InputError) as error:
        compose(typed)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_files_choose_them_as_the_command_line_does(here: Path) -> None:
    for group in ("exp", "scale", "arch"):
        (here / "conf" / group).mkdir(parents=True)
    head = "# @package _global_\ndefaults: [{override /probes: [mine, other]}, {override /tracker: none}]\n"
    (here / "conf/exp/looked_at.yaml").write_text(head + "probes: {mine: {size: 9}}\nstudy: {name: looked_at}\n")
    (here / "conf/arch/watched.yaml").write_text(
        "# @package _global_\ndefaults: [{override /probes: mine}]\ndepth: 8\n"
    )
    assert chosen("+exp=looked_at") == {"probes": {"mine": {**MINE, "size": 9}, "other": OTHER}}
    assert chosen("+exp=looked_at", "probes.mine.size=1")["probes"]["mine"]["size"] == 1
    assert chosen("arch=watched") == {"probes": {"mine": MINE}}


def test_arms_and_scales_may_ask_for_them() -> None:
    arms = "arms: {post: [order=post], pre: [order=pre, 'probes=[mine]']}, seeds: 1"
    asked = {cell.arm: list(cell.config["probes"]) for cell in planned(arms, "depth=8").cells}
    assert asked == {"post": [], "pre": ["mine"]}
    scales = "arms: {post: [order=post], pre: [order=pre]}, seeds: 1, scales: {quick: {overrides: ['probes=[other]']}}"
    assert all(list(cell.config["probes"]) == ["other"] for cell in planned(scales, "depth=8").cells)
    assert all(list(cell.config["probes"]) == ["mine"] for cell in planned(scales, "depth=8", "probes=mine").cells)


def test_two_arms_that_differ_in_a_probe_alone_are_the_same() -> None:
    with pytest.raises(InputError, match="have the same config: nothing to compare"):
        planned("arms: {one: [order=pre], two: [order=pre, 'probes=[mine]']}", "depth=8")


@pytest.mark.slow
def test_they_are_in_the_list_and_the_help_and_the_config(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("probe", "probes"):
        dispatch(["list", name])
        shown = capsys.readouterr().out
        assert "Another one." in shown
        assert "size=4 project=null" in shown
    dispatch(["probes=[mine]", "tracker=[other,mine]", "--cfg", "job"])
    shown = capsys.readouterr().out
    assert "probes:\n  mine:\n    name: mine\n    size: 3\n" in shown
    assert "tracker:\n  other:\n" in shown
    with pytest.raises(SystemExit):
        dispatch(["--help"])
    assert "callbacks: early_stopping, mine, none, other" in capsys.readouterr().out


def test_a_sweep_takes_lists_as_one_value_each(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[dict[str, Any]] = []
    monkeypatch.setattr("ablate.cli.commands.run_job", lambda overrides: jobs.append(chosen(*overrides)))
    dispatch(["-m", "probes=[mine],[mine,other],none", "tracker=other"])
    assert [list(job.get("probes", {})) for job in jobs] == [["mine"], ["mine", "other"], []]
    assert all(list(job["tracker"]) == ["other"] for job in jobs)


def test_only_callbacks_are_part_of_an_id() -> None:
    def name(*typed: str) -> str:
        return plan_study(["depth=8", *typed]).cells[0].id

    @register("callback", "quiet")
    def quiet() -> None:
        """Looks on."""

    quiet.incidental = True  # type: ignore[attr-defined]
    register("callback", "quiet")(quiet)
    plain = name()
    for typed in ("probes=[mine]", "measurements=[mine]", "tracker=[mine]", "study.keep=weights", "callbacks=[quiet]"):
        assert name(typed) == plain
    assert name("callbacks=[mine]") != plain
    assert name("callbacks=[mine]") != name("callbacks=[mine]", "callbacks.mine.size=4")
