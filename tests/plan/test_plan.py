"""`plan`: what a study would train and cost and can show, without training or writing to the store."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from ablate import Slot, registry
from ablate.__main__ import main
from ablate.config.compose import prepare
from ablate.network.profile import profile
from ablate.plan import calibration, load, times
from ablate.plan.calibration import Speed
from ablate.plan.times import START_S, Timer, cell_seconds, makespan
from ablate.system.quotas import cores
from ablate.tuning.measured import MeasuredCache
from tests.cells import tiny_cell, tiny_study

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

TINY = ["depth=8", "width=0.25", "trainer.epochs=1", "data.batch_size=500"]
ARMS = ["+study.arms.post=[order=post]", "+study.arms.pre=[order=pre]", "study.name=orders"]
BET = """# @package _global_
study:
  name: bet
  arms: {a: [optim.lr=0.1], b: [optim.lr=0.05]}
  claims:
    - {id: bet, metric: test/error, contrast: {a: 1, b: -1}, expect: positive, margin: 0.01}
    - {id: sizes, metric: params, contrast: {a: 1, b: -1}, expect: zero, margin: 1}
"""
Run = Callable[..., str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ablate.report.write_report", lambda *arguments: None)
    monkeypatch.setattr(
        times, "others_busy", lambda slots, threads: nullcontext()
    )  # the tests beside this one are busy enough
    with registry.isolated():
        yield tmp_path


@pytest.fixture
def plan(capsys: pytest.CaptureFixture[str]) -> Run:
    """Plan a tiny study; gives what it prints."""

    def run(*arguments: str) -> str:
        capsys.readouterr()
        assert main(["plan", *TINY, *arguments]) == 0
        return capsys.readouterr().out

    return run


def in_json(plan: Run, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(plan("--json", *arguments))
    return found


def test_it_says_what_is_compared_and_what_that_costs(plan: Run, here: Path) -> None:
    out = plan(*ARMS, "study.seeds=3", "engine.slots=2")
    assert "6 cells, 0 stored already; 3 seeds" in out
    assert "on 2 slots (cpu, 1 thread)" in out
    assert "of checkpoints while it runs" in out
    assert "What each arm changes against its baseline" in out
    assert "modules of pre: 3 × PostUnit → PreUnit; 4 × BatchNorm2d moved; 4 × ReLU moved" in out
    assert list(here.iterdir()) == [], "nothing is written, not even an empty store"


def test_marks_stand_below_the_certificates(plan: Run) -> None:
    out = plan("+study.arms.a=[order=post,optim.lr=0.02]", "+study.arms.b=[order=pre]")
    assert "Arm b changes more than it declares: optim.lr, against baseline a." in out


def test_its_json_has_the_same(plan: Run) -> None:
    found = in_json(plan, *ARMS, "study.seeds=3", "engine.slots=2")
    assert (found["cells"], found["stored"], len(found["points"])) == (6, 0, 2)
    assert found["slots"] == [{"device": "cpu", "cores": max(1, cores() // 2)}] * 2
    assert [one["point"] for one in found["certificates"]] == [{}]
    seconds = [point["time"]["seconds"] for point in found["points"]]
    assert min(seconds) > START_S
    # Three cells of each arm on two slots: no slot ends before half of the work, none after four cells.
    assert max(found["seconds_by_slot"]) >= 3 * sum(seconds) / 2


@pytest.mark.slow
def test_what_is_stored_is_counted_and_times_the_rest(plan: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TINY, *ARMS, "study.seeds=1"]) == 0
    before = sorted(path for path in Path("runs").rglob("*"))
    found = in_json(plan, *ARMS, "study.seeds=2")
    assert (found["cells"], found["stored"]) == (4, 2)
    assert [point["time"]["source"] for point in found["points"]] == ["stored", "stored"]
    other = in_json(plan, *ARMS[:2], "study.seeds=2", "study.name=other")
    assert (other["cells"], other["stored"]) == (4, 2), "another study of the store has them"
    assert sorted(path for path in Path("runs").rglob("*")) == before


def test_a_run_keeps_its_certificates_for_plan_and_report(plan: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main([*TINY, *ARMS, "study.seeds=1"]) == 0
    assert Path("runs/orders/certificates.json").exists()

    def fail(*arguments: Any) -> None:
        raise AssertionError("taken again")

    monkeypatch.setattr("ablate.preflight.certificate.evidence.full_evidence", fail)
    assert len(in_json(plan, *ARMS, "study.seeds=2")["certificates"]) == 1
    assert main([*TINY, *ARMS, "study.seeds=1"]) == 0


# power


@pytest.fixture
def bet() -> None:
    Path("conf/exp").mkdir(parents=True)
    Path("conf/exp/bet.yaml").write_text(BET)


@pytest.mark.usefixtures("bet")
def test_the_power_of_each_claim_is_said_at_the_level_that_holm_may_ask(plan: Run) -> None:
    bet, sizes = in_json(plan, "+exp=bet", "study.seeds=6")["claims"]
    assert (bet["seeds"], bet["level"], bet["sd"]) == (6, 0.05, None)  # the other claim needs no test
    assert bet["effect"] == pytest.approx(1.435, abs=0.001)  # of a paired t test of 6, with 80 % power
    assert sizes["static"]
    out = " ".join(plan("+exp=bet", "study.seeds=6").split())
    assert "bet: effects from 1.43 standard deviations of the paired differences" in out
    assert "sizes: no seeds are needed for parameters" in out
    assert "sign-flip" not in out
    assert "`supported` in 51 % of studies of a true effect of one standard deviation, if far beyond the margin" in out
    assert "where the true effect is just the margin, `supported` has a chance of about one half at most" in out
    assert (bet["supported"], bet["at_margin"]) == (pytest.approx(0.507, abs=0.001), None)


@pytest.mark.usefixtures("bet")
def test_the_chance_of_a_true_zero_is_said_as_well(plan: Run) -> None:
    path = Path("conf/exp/bet.yaml")
    path.write_text(path.read_text().replace("expect: positive, margin: 0.01", "expect: zero, margin: 0.01"))
    bet, _ = in_json(plan, "+exp=bet", "study.seeds=6")["claims"]
    assert bet["supported"] == pytest.approx(0.22, abs=0.005)
    out = " ".join(plan("+exp=bet", "study.seeds=6").split())
    assert "bet: no effect within a margin from 1.66 standard deviations of the paired differences" in out
    assert "`supported` in 22 % of studies of a true zero, were the margin one standard deviation" in out
    assert "one half" not in out


@pytest.mark.usefixtures("bet")
def test_several_claims_ask_for_more_seeds_than_one(plan: Run) -> None:
    path = Path("conf/exp/bet.yaml")
    (one,) = [line for line in path.read_text().splitlines(keepends=True) if "id: bet" in line]
    path.write_text(path.read_text() + "".join(one.replace("id: bet", f"id: bet{number}") for number in range(4)))
    said = " ".join(plan("+exp=bet", "study.seeds=7").split())
    assert "fewer than 8 paired seeds: an exact sign-flip test cannot reach 0.05 after Holm over 5 claims" in said
    assert "sign-flip" not in plan("+exp=bet", "study.seeds=8")


@pytest.mark.usefixtures("bet")
def test_several_looks_see_less_than_one_and_are_said_to_be_planned(plan: Run) -> None:
    looks = "study.seeds={start: 3, step: 3, most: 6}"
    bet, _ = in_json(plan, "+exp=bet", looks)["claims"]
    assert bet["looks"] == [3, 6]
    assert bet["effect"] > 1.44  # as one look at six sees
    said = " ".join(plan("+exp=bet", looks).split())
    assert "at most 6 seeds, looked at after 3, 6 until every claim is decided" in said


@pytest.mark.usefixtures("bet")
def test_few_seeds_are_said_to_show_little(plan: Run) -> None:
    assert "fewer than 6 paired seeds: an exact sign-flip test cannot reach 0.05" in plan("+exp=bet", "study.seeds=5")
    assert "bet: nothing, with 1 seed; at least two are needed" in plan("+exp=bet", "study.seeds=1")


@pytest.mark.usefixtures("bet")
@pytest.mark.slow
def test_stored_cells_give_the_effect_in_the_metrics_unit(plan: Run) -> None:
    assert main([*TINY, "+exp=bet", "study.seeds=2"]) == 0
    bet, _ = in_json(plan, "+exp=bet", "study.seeds=6")["claims"]
    assert bet["sd"] is not None
    assert bet["effect_in_unit"] == pytest.approx(bet["effect"] * bet["sd"])
    assert 0 < bet["at_margin"] <= 0.5
    assert bet["at_margin"] < bet["supported"]
    assert bet["truth"] == "a true effect of twice the margin"


# time


def test_the_longest_cells_start_first_in_the_slot_that_is_free_first() -> None:
    assert makespan([1, 2, 3, 4], 2) == [5, 5]
    assert makespan([4, 1, 1], 2) == [4, 2]
    assert makespan([1, 1], 4) == [1, 1, 0, 0]
    assert makespan([1, 1], 0) == [2]
    assert makespan([1.0], 1, start=3) == [4]


def test_a_cells_time_is_its_start_its_steps_and_its_measurements() -> None:
    config = tiny_cell("trainer.epochs=10", "data.batch_size=100").config
    base = cell_seconds(config, (1000, 24), Speed(step=0.0, overhead=0.0, evaluation=0.0))
    steps = cell_seconds(config, (1000, 24), Speed(step=0.1, overhead=0.0, evaluation=0.0)) - base
    assert steps == pytest.approx(10 * 10 * 0.1)
    measured = cell_seconds(config, (1000, 24), Speed(step=0.0, overhead=0.0, evaluation=1.0)) - base
    assert measured == pytest.approx(10 * 1024 / 512)
    seldom = tiny_cell("trainer.epochs=10", "data.batch_size=100", "trainer.eval_every=4").config
    rest = cell_seconds(seldom, (1000, 24), Speed(step=0.0, overhead=0.0, evaluation=1.0)) - base
    assert rest == pytest.approx(3 * 1024 / 512)


SLOTS = [Slot("cpu", 1)]


def looks(*overrides: str) -> list[tuple[Any, Any]]:
    return [(cell, profile(cell.config)) for cell in tiny_study(*overrides).cells]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Layers of the networks that were measured, each as if it took a second a step."""
    found: list[int] = []

    def measure(config: Any, network: Any, slot: Slot) -> Speed:
        found.append(network.layers)
        return Speed(step=1.0, overhead=0.25, evaluation=2.0)

    monkeypatch.setattr(calibration, "measure", measure)
    monkeypatch.setattr(times, "UNDISTURBED", 0.0)
    return found


def test_each_network_is_measured_once_and_never_again_on_this_machine(speeds: Path, measured: list[int]) -> None:
    # Rates and seeds do not change how long a step takes.
    cells = [*looks("study.seeds=3"), *looks("optim.lr=0.03"), *looks("schedule=cosine")]
    for _ in range(2):
        timer = Timer(SLOTS, 1, MeasuredCache(speeds))
        timer.measure(cells)
        assert timer.time_of(cells[0][0]).source == "measured"
    assert len(measured) == 1
    for others in (looks("trainer.threads=2"), looks("trainer.precision=bf16")):
        Timer(SLOTS, 2, MeasuredCache(speeds)).measure(others)
    assert len(measured) == 3, "threads and precision do"
    Timer(SLOTS * 2, 1, MeasuredCache(speeds)).measure(cells)
    assert len(measured) == 4, "beside others a cell is slower"


def test_what_the_budget_leaves_out_is_extrapolated_from_the_nearest(
    speeds: Path, measured: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(times, "BUDGET_S", 0.0)
    small, large = looks("width=0.25", "trainer.epochs=1"), looks("width=0.5", "trainer.epochs=1")
    timer = Timer(SLOTS, 1, MeasuredCache(speeds))
    timer.measure([*large, *small])
    assert len(measured) == 1, "the cheapest is measured whatever it takes"
    times_of = [timer.time_of(cells[0][0]) for cells in (small, large)]
    assert [time.source for time in times_of] == ["measured", "extrapolated"]
    # Twice the width: as many layers, about four times the multiply-adds, and so of the 0.75 s that depend on them.
    ratio = large[0][1].flops / small[0][1].flops
    steps = 1437 / 64
    expected = steps * (0.25 + 0.75 * ratio) + 1797 / 512 * 2.0 * ratio
    fixed = times_of[0].seconds - (steps + 1797 / 512 * 2.0)  # type: ignore[operator]
    assert times_of[1].seconds == pytest.approx(expected + fixed, rel=1e-6)


def test_what_other_work_disturbed_is_said_and_not_kept(
    speeds: Path, measured: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(times, "UNDISTURBED", math.inf)
    for _ in range(2):
        timer = Timer(SLOTS, 1, MeasuredCache(speeds))
        timer.measure(looks())
        assert timer.notes[0].startswith("other work runs on this machine (measuring got ")
    assert len(measured) == 2


def test_a_cache_that_cannot_be_written_is_noted(tmp_path: Path, measured: list[int]) -> None:
    (tmp_path / "file").write_text("")
    timer = Timer(SLOTS, 1, MeasuredCache(tmp_path / "file" / "speeds"))
    timer.measure(looks())
    assert timer.time_of(looks()[0][0]).source == "measured"
    assert timer.notes[0].startswith("speeds are measured anew each time: cannot make the folder ")


def test_measuring_gives_times_that_are_there_and_leaves_torch_as_it_was() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    ((cell, network), *_) = looks()
    speed = calibration.measure(cell.config, network, Slot("cpu", 1))
    assert all(math.isfinite(value) and value > 0 for value in (speed.step, speed.overhead, speed.evaluation))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


UNKNOWN = """
from ablate import DataSet, Engine, InputError, register

@register("data", "mine")
class Mine(DataSet):
    channels, size, classes = 1, (8, 8), 10

    def __init__(self, *, batch_size: int = 64):
        self.batch_size = batch_size

    def check(self):
        raise InputError("it is on another machine")

    def load(self):
        self.check()

@register("engine", "mine")
class Cluster(Engine):
    def start(self, job, slot):
        raise InputError("no")

    def slots(self, jobs, threads=1):
        return []
"""


def test_what_nobody_knows_is_not_estimated(plan: Run) -> None:
    Path("plugins").mkdir()
    Path("plugins/mine.py").write_text(UNKNOWN)
    assert "time: not estimated" in plan("data=mine")


def test_an_engine_that_does_not_say_where_cells_run_still_has_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plugins").mkdir()
    Path("plugins/mine.py").write_text(UNKNOWN)
    assert main(["plan", *TINY, "engine=mine", "study.seeds=2"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "one after the other on this machine; the engine does not say where cells run" in out


@pytest.mark.slow
def test_plan_loads_no_lightning() -> None:
    """Once plugins are described; one that builds a callback of Lightning's imports it for that."""
    program = (
        "import sys; from ablate.__main__ import main; "
        f"code = main(['plan', '--json', *{TINY!r}]); "
        "sys.exit(code or int('pytorch_lightning' in sys.modules or 'sklearn' in sys.modules))"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(Path.cwd())}
    subprocess.run([sys.executable, "-m", "ablate", "list"], env=environment, capture_output=True, check=True)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_other_slots_are_busy_while_one_is_measured_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen
    monkeypatch.setattr(load, "cores", lambda: 8)
    monkeypatch.setattr(load.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1])
    with load.others_busy([Slot("cpu", 2), Slot("cpu", 2)], 2):
        assert [loop.poll() for loop in started] == [None, None], "as many as the other slot has threads"
    assert all(loop.poll() is not None for loop in started)
    with load.others_busy([Slot("cuda:0", 4), Slot("cuda:0", 4)], 4):
        assert len(started) == 2, "a GPU's slots leave the CPU alone"
