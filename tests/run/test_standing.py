"""A finished cell counts as finished if it has all that the study asks for; nothing is done again in silence."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import ablate.cell.besides
import ablate.cell.run
from ablate import InputError, Measured, Measurement, Trained, load_results, register, registry
from ablate.cli.commands import dispatch
from ablate.config.compose import prepare
from ablate.errors import CellsFailed
from ablate.preflight.check import check
from ablate.run.execution import run_study
from ablate.run.measure import measure_study
from ablate.study.plan import Study, plan_study
from tests.run.in_process import register_engine
from tests.studies import planned

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

TINY = ("depth=8", "width=0.25", "trainer.epochs=2", "data.batch_size=256", "engine=here")
PROBE = ("probes=[gradient_norm]", "probes.gradient_norm.every=3")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    with registry.isolated():
        register_engine()
        yield tmp_path


@pytest.fixture
def did(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What processes of cells did, in order."""
    done: list[str] = []
    for module, name in ((ablate.cell.run, "run_cell"), (ablate.cell.besides, "measure_cell")):
        real = getattr(module, name)

        def told(folder: Path, *args: Any, real: Any = real, name: str = name, **options: Any) -> Any:
            done.append(name)
            return real(folder, *args, **options)

        monkeypatch.setattr(module, name, told)
    return done


def run(*typed: str) -> str:
    """Run a study; what it says, without the report."""
    return said(plan_study([*TINY, *typed]))


def said(study: Study) -> str:
    text = io.StringIO()
    run_study(study, Console(file=text, width=300))
    return text.getvalue().partition("test error:")[0]


def cell(name: str = "single") -> Path:
    (folder,) = Path("runs", name, "cells").iterdir()
    return folder


def without_times(history: str) -> list[str]:
    return [line.rpartition(",")[0] for line in history.splitlines()]


def result(name: str = "single") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((cell(name) / "result.json").read_text())
    return content


def test_a_probe_that_is_asked_for_later_trains_again_and_says_why(did: list[str]) -> None:
    run()
    history = (cell() / "history.csv").read_text()
    before = result()
    told = run(*PROBE)
    assert "1 finished cell is trained again: no probe gradient_norm" in told
    assert did == ["run_cell", "run_cell"]
    assert without_times((cell() / "history.csv").read_text()) == without_times(history)
    assert result()["metrics"]["test/loss"] == before["metrics"]["test/loss"]
    assert "trained again" not in run(*PROBE)
    assert "trained again" not in run(), "less is asked for"
    assert did == ["run_cell", "run_cell"]
    told = run("probes=[gradient_norm]", "probes.gradient_norm.every=2")
    assert "trained again: no probe gradient_norm" in told, "set otherwise it is another probe"


def test_a_lost_table_is_made_again(did: list[str]) -> None:
    run(*PROBE)
    (cell() / "probes/gradient_norm.csv").unlink()
    assert "1 finished cell is trained again: no probe gradient_norm" in run(*PROBE)
    assert (cell() / "probes/gradient_norm.csv").exists()


def test_weights_that_are_asked_for_later_train_again_and_keep_what_was_there(did: list[str]) -> None:
    run(*PROBE)
    assert "1 finished cell is trained again: no weights kept" in run("study.keep=weights")
    assert (cell() / "weights.safetensors").exists()
    assert "gradient_norm/first" in result()["metrics"]
    assert (cell() / "probes/gradient_norm.csv").exists()


def test_a_measurement_is_taken_on_kept_weights_without_training(did: list[str]) -> None:
    run("study.keep=weights")
    history = (cell() / "history.csv").read_bytes()
    told = run("measurements=[calibration]")
    assert "1 finished cell is measured on the weights kept: calibration" in told
    assert did == ["run_cell", "measure_cell"]
    assert (cell() / "history.csv").read_bytes() == history
    later = result()["metrics"]["calibration/ece"]
    run("measurements=[calibration]")
    assert did == ["run_cell", "measure_cell"]
    run("measurements=[calibration]", "study.name=at_once", "runs=elsewhere")
    (at_once,) = Path("elsewhere/at_once/cells").iterdir()
    assert json.loads((at_once / "result.json").read_text())["metrics"]["calibration/ece"] == later


def test_without_weights_a_measurement_trains_again_and_says_why(did: list[str]) -> None:
    run()
    told = run("measurements=[calibration]")
    assert "1 finished cell is trained again: no measurement calibration, no weights kept" in told
    assert did == ["run_cell", "run_cell"]
    assert 0 <= result()["metrics"]["calibration/ece"] <= 1


def test_what_another_study_has_is_taken_over_with_its_tables(did: list[str]) -> None:
    run("study.name=bare")
    run("study.name=rich", *PROBE, "study.keep=weights", "measurements=[calibration]")
    told = run("study.name=bare", *PROBE, "measurements=[calibration]")
    assert "again" not in told
    assert did == ["run_cell", "run_cell"]
    assert result("bare")["reused_from"] == "rich"
    for name in ("probes/gradient_norm.csv", "measurements/calibration.csv", "weights.safetensors"):
        assert (cell("bare") / name).read_bytes() == (cell("rich") / name).read_bytes()


def test_other_code_of_a_probe_counts_as_none_where_what_is_stale_is_run_again(
    did: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*PROBE)
    monkeypatch.setattr("ablate.measure.asked.plugin_fingerprint", lambda kind, name: "other")
    said = run(*PROBE)
    assert "gradient_norm: 1 cell has it from other code than today's; rerun=stale has it anew" in said
    assert did == ["run_cell"]
    assert "trained again: no probe gradient_norm" in run(*PROBE, "rerun=stale")
    assert did == ["run_cell", "run_cell"]
    assert result()["probes"]["gradient_norm"]["code"] == "other"


def test_columns_are_in_results_and_claims_may_name_them(tmp_path: Path) -> None:
    claim = "{id: grows, metric: gradient_norm/first, contrast: {deep: 1, flat: -1}, expect: positive, margin: 0.01}"
    text = f"arms: {{flat: [depth=8], deep: [depth=14]}}, seeds: 2, claims: [{claim}]"
    few = [one for one in TINY if not one.startswith("depth")]
    with pytest.raises(InputError) as error:
        planned(text, *few)
    assert "unknown metric of claim 'grows' 'gradient_norm/first'" in str(error.value)
    assert "record it with probes=[gradient_norm]" in str(error.value)
    with pytest.raises(InputError, match="did you mean 'gradient_norm/first'"):
        planned(text.replace("/first", "/frist"), *few, "probes=[gradient_norm]")
    study = planned(text, *few, "probes=[gradient_norm]", "measurements=[calibration]")
    said(study)
    frame = load_results("runs/mine")
    assert frame["gradient_norm/first"].notna().all()
    assert frame["calibration/ece"].notna().all()
    (verdict,) = json.loads(Path("runs/mine/verdicts.json").read_text())["claims"]
    assert verdict["metric"] == "gradient_norm/first"
    assert verdict["n"] == 2
    page = Path("runs/mine/report.md").read_text()
    assert "gradient norm first" in page
    assert "calibration ece" in page


def test_what_is_to_be_kept_must_exist() -> None:
    with pytest.raises(InputError, match=r"unknown part of a cell in study.keep 'weight'; did you mean 'weights'"):
        plan_study([*TINY, "study.keep=weight"])
    assert plan_study([*TINY, "study.keep=[weights]"]).keep == ("weights",)
    assert plan_study([*TINY, "study.keep=null"]).keep == ()


# The verb `measure`


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def measured(*names: str, folder: str = "runs/single") -> str:
    text = io.StringIO()
    options = [name for name in names if "=" in name]
    console = Console(file=text, width=400)
    measure_study(Path(folder), [one for one in names if one not in options], ["engine=here", *options], console)
    return text.getvalue()


def test_measure_fills_what_is_missing_and_reports_anew(did: list[str]) -> None:
    run("study.keep=weights")
    Path("runs/single/report.html").unlink()
    assert "calibration: 1 cell measured" in measured("calibration")
    assert "calibration/ece" in load_results("runs/single")
    assert Path("runs/single/report.html").exists()
    assert "calibration: 0 cells measured, 1 measured before" in measured("calibration")
    assert did == ["run_cell", "measure_cell"]
    assert "1 cell measured" in measured("calibration", "measurements.calibration.bins=3")
    assert {row["bin"] for row in table(cell() / "measurements/calibration.csv")} <= {"1", "2", "3"}


def test_measure_says_which_cells_have_no_weights_and_what_to_do(did: list[str]) -> None:
    run("seed=1")
    with pytest.raises(InputError, match=r"has no weights kept, .* about \d+ s of one slot: .*study.keep=weights"):
        measured("calibration")
    run("seed=2", "study.keep=weights")
    told = measured("calibration")
    assert "calibration: 1 cell measured" in told
    assert "-s1-" in told
    assert "no weights kept" in told


def test_a_measurement_that_fails_names_its_cell_and_leaves_the_result(did: list[str]) -> None:
    @register("measurement", "broken")
    class Broken(Measurement):
        """Fails."""

        def measure(self, trained: Trained) -> Measured:
            raise InputError("there is nothing to see")

    run("study.keep=weights")
    before = (cell() / "result.json").read_bytes()
    with pytest.raises(CellsFailed, match="1 of 1 cells could not be measured: refused its input"):
        measured("broken")
    assert (cell() / "result.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ["runs/single"],
            "name one or more measurements, such as measure runs/single calibration; known: by_size, calibration, ",
        ),
        (["runs/single", "calibraton"], "did you mean 'calibration'"),
        (["runs/single", "calibration", "depth=3"], "'depth=3': measure takes options of measurements and engine"),
        (["runs/singel", "calibration"], "no study in runs/singel; did you mean runs/single"),
        (
            ["runs/single", "calibration", "measurements.calibration.bin=3"],
            "did you mean 'measurements.calibration.bins'",
        ),
        (["runs/single", "calibration", "measurements.calibration.bins=0"], "calibration.bins=0: must be at least 1"),
        (["runs/single", "line"], "measurement 'line' needs a value: measurements.line.to=..."),
    ],
)
def test_measure_refuses_what_is_wrong_in_one_line(arguments: list[str], reason: str) -> None:
    run("study.keep=weights")
    with pytest.raises(InputError) as error:
        dispatch(["measure", *arguments])
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


class Line(Measurement):
    """Loss half-way between the network and that of another arm."""

    columns = ("loss", "own")
    needs_others = True

    def __init__(self, *, to: str = "pre") -> None:
        self.to = to

    def measure(self, trained: Trained) -> Measured:
        own, _ = trained.evaluate()
        other = trained.of_arm("pre" if trained.arm == "post" else "post")
        theirs = other.model.state_dict()
        for name, mine in trained.model.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(theirs[name], 0.5)
        loss, _ = trained.evaluate()
        return Measured({"loss": loss, "own": own})


def test_a_measurement_on_several_networks_waits_for_all_and_needs_weights(did: list[str]) -> None:
    register("measurement", "halfway")(Line)
    arms = "arms: {post: [optim.lr=0.1], pre: [optim.lr=0.05]}, seeds: 1"
    study = planned(arms, *TINY, "measurements=[halfway]")
    with pytest.raises(InputError, match=r"'halfway' needs the networks of several arms: add study.keep=weights"):
        check(study, study.cells)
    study = planned(arms, *TINY, "measurements=[halfway]", "study.keep=weights")
    said(study)
    assert did == ["run_cell"] * 2 + ["measure_cell"] * 2
    frame = load_results("runs/mine").set_index("arm")
    assert frame["halfway/loss"]["pre"] == pytest.approx(frame["halfway/loss"]["post"], rel=1e-5)
    assert frame["halfway/own"]["pre"] == frame["test/loss"]["pre"]
    said(study)
    assert len(did) == 4
