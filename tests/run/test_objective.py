"""`study.objective`: what a sweeper is told of a job, and what is refused before anything is trained for it."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from hydra._internal.core_plugins import basic_launcher
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

from ablate import registry
from ablate.__main__ import main
from ablate.config.compose import prepare
from ablate.run.objective import objective_of
from ablate.study.plan import Study
from ablate.system.paths import PACKAGE
from tests.run.in_process import register_engine
from tests.stores import METRICS, finish, store
from tests.studies import planned, refusal

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

pytestmark = pytest.mark.usefixtures("here")
ORDERS = "arms: {post: [order=post], pre: [order=pre]}, grid: {depth: [8, 14]}, seeds: 1"
TINY = ["depth=8", "width=0.25", "trainer.epochs=1", "data.batch_size=500", "engine=here"]


def value(study: Study, *cells: dict[str, Any]) -> float | None:
    """The objective where the first cells of a study have ended so."""
    made = store(Path("runs"))
    for cell, changes in zip(study.cells, cells, strict=False):
        finish(made, cell, **changes)
    made.write_study(study)
    return objective_of(study)


def error(rate: float, **changes: Any) -> dict[str, Any]:
    costs = {"seconds": 1.5, "epochs_to/train/loss<0.1": None}
    return {"metrics": {**METRICS, **costs, "test/error": rate, **changes}}


DIVERGED = {
    "status": "diverged",
    "metrics": {**dict.fromkeys(("train/loss", "train/error", "test/loss", "test/error")), "params": 10, "flops": 20},
}


def test_it_is_the_mean_test_error_of_the_cells_that_have_one() -> None:
    assert value(planned(ORDERS), error(0.1), error(0.2), error(0.6)) == pytest.approx(0.3)


def test_a_study_without_a_result_has_none() -> None:
    assert value(planned(ORDERS)) is None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("train/loss", 0.5),
        ("{metric: test/error, cells: pre}", 0.65),
        ("{metric: test/error, cells: 'pre|post@depth=14'}", 0.5),
        ("{metric: params}", 10.0),
    ],
)
def test_a_metric_and_the_cells_can_be_chosen(asked: str, expected: float) -> None:
    study = planned(f"{ORDERS}, objective: {asked}")
    rates = {("post", 8): 0.1, ("post", 14): 0.2, ("pre", 8): 0.5, ("pre", 14): 0.8}
    ended = [error(rates[cell.arm, cell.factors["depth"]]) for cell in study.cells]
    assert value(study, *ended) == pytest.approx(expected)


def test_a_cell_that_diverged_is_the_worst_there_is_but_for_the_size_of_its_network() -> None:
    assert value(planned(ORDERS), error(0.1), DIVERGED) == math.inf
    assert value(planned(f"{ORDERS}, objective: params"), error(0.1), DIVERGED) == 10


def test_a_threshold_that_was_never_reached_is_the_worst_there_is() -> None:
    metric = "epochs_to/train/loss<0.1"
    study = planned(f"{ORDERS}, objective: '{metric}'", "trainer.epochs_to=['train/loss<0.1']")
    assert value(study, error(0.1, **{metric: 3.0}), error(0.1)) == math.inf


def test_cells_that_two_arms_share_count_once() -> None:
    parts = "{order: [order=pre], shortcut: [shortcut=projection]}"
    study = planned(f"leave_one_out: {parts}, add_one_in: {parts}, seeds: 1", "depth=8")
    assert (len(study.cells), len(study.once)) == (6, 4)
    shared = {cell.id for cell in study.once if sum(one.id == cell.id for one in study.cells) > 1}
    made = store(Path("runs"))
    for cell in study.once:
        finish(made, cell, **error(0.4 if cell.id in shared else 0.6))
    made.write_study(study)
    assert objective_of(study) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ("tst/error", "unknown metric of study.objective 'tst/error'; did you mean 'test/error'?"),
        ("epochs_to/train/loss<0.5", 'record it with trainer.epochs_to=["train/loss<0.5"]'),
        ("calibration/ece", "record it with measurements=[calibration]"),
        ("{metrc: test/error}", "unknown field of study.objective 'metrc'; did you mean 'metric'?"),
        ("{cells: pre}", "study.objective has no metric; write it as"),
        ("{metric: test/error, cells: 'a@'}", "selector 'a@' cannot be read"),
        ("3", "study.objective: metric is 3; write it as a metric"),
        ("''", "study.objective: metric is ; write it as"),
        ("[test/error]", "study.objective: metric is ['test/error']; write it as"),
        ("{metric: test/error, cells: [pre]}", "study.objective: cells is ['pre']; write it as"),
    ],
)
def test_one_that_nothing_gives_is_refused_in_a_line(asked: str, line: str) -> None:
    assert line in refusal(f"{ORDERS}, objective: {asked}")


def test_one_whose_cells_are_pinned_away_is_no_error_outside_of_a_sweep() -> None:
    text = f"{ORDERS}, objective: {{metric: test/error, cells: 'pre@depth=14'}}"
    assert len(planned(text, "depth=8").cells) == 2


def test_the_studies_of_a_sweep_are_named_by_what_it_varies() -> None:
    study = planned(ORDERS, "optim.lr=0.3", "study.name=lr_${optim.lr}")
    assert (study.name, study.folder) == ("lr_0.3", "lr_0.3")


# Through Hydra


@pytest.fixture
def hydra_again(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What Hydra and the command set is set back."""
    monkeypatch.setattr("ablate.report.write_report", lambda *arguments: None)
    handler = signal.getsignal(signal.SIGTERM)
    with registry.isolated():
        register_engine()
        yield
    signal.signal(signal.SIGTERM, handler)


class Trying(Sweeper):
    """Tries values of a key one after the other, and keeps what the jobs came to."""

    given: list[Any] = []  # noqa: RUF012 - Hydra makes the object, and the test looks here

    def __init__(self, key: str, tries: list[Any]) -> None:
        self.key, self.tries = key, tries

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        for number, one in enumerate(self.tries):
            (job,) = self.launcher.launch([[*arguments, f"{self.key}={one}"]], initial_job_idx=number)
            self.given.append(job.return_value)


@pytest.fixture
def sweeper(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """A sweeper that reads what its jobs give: `hydra/sweeper=trying`."""
    Trying.__module__, Trying.given = "hydra_plugins.trying", []
    module = ModuleType("hydra_plugins.trying")
    monkeypatch.setattr(module, "Trying", Trying, raising=False)
    monkeypatch.setitem(sys.modules, "hydra_plugins.trying", module)
    Plugins.instance().register(Trying)
    node = {"_target_": "hydra_plugins.trying.Trying", "key": "seed", "tries": [0, 1]}
    ConfigStore.instance().store(group="hydra/sweeper", name="trying", node=node)
    yield Trying.given
    del Plugins.instance().class_name_to_class["hydra_plugins.trying.Trying"]
    Plugins.instance().plugin_type_to_subclass_list[Sweeper].remove(Trying)
    del ConfigStore.instance().repo["hydra"]["sweeper"]["trying.yaml"]


@pytest.mark.usefixtures("hydra_again")
def test_a_sweeper_is_told_what_each_of_its_jobs_came_to(sweeper: list[float]) -> None:
    sweep = ["-m", "hydra/sweeper=trying", *TINY]
    assert main([*sweep, "study.objective=train/loss"]) == 0
    assert len(sweeper) == 2
    assert all(1 < loss < 4 for loss in sweeper)
    assert sweeper[0] != sweeper[1], "of its own job, though both lie in one folder"
    assert main([*sweep, "study.objective=test/error"]) == 0
    assert all(0 < rate <= 1 for rate in sweeper[2:])


@pytest.mark.usefixtures("hydra_again")
def test_a_job_that_fails_fails_for_the_sweeper_too(sweeper: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    sweep = ["-m", "hydra/sweeper=trying", *TINY]
    assert main([*sweep, "study.objective=test/eror"]) == 2
    assert sweeper == []
    said, line = capsys.readouterr().err.splitlines()
    assert said.startswith("Error executing job with overrides"), "in Hydra's words"
    assert line.startswith("ablate: job 'depth=8 width=0.25")
    assert "did you mean 'test/error'?" in line
    assert main([*sweep, "study.objective={metric:test/error,cells:other}"]) == 2
    assert "unknown cells of study.objective 'other'" in capsys.readouterr().err
    assert not Path("runs/single").exists(), "before anything is trained"


@pytest.mark.usefixtures("hydra_again")
@pytest.mark.slow
def test_a_plain_multirun_has_the_values_and_asks_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    returned: list[Any] = []
    run_job = basic_launcher.run_job

    def noting(**given: Any) -> Any:
        job = run_job(**given)
        returned.append(job.return_value)
        return job

    monkeypatch.setattr(basic_launcher, "run_job", noting)
    sweep = ["-m", "seed=0,1", *TINY]
    assert main(sweep) == 0
    assert all(0 < rate <= 1 for rate in returned)
    assert main([*sweep, "study.objective={metric:test/error,cells:other}"]) == 0
    assert returned[2:] == [None, None]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("optuna") is None, reason="needs hydra-optuna-sweeper")
def test_optunas_sweeper_keeps_away_from_what_diverges() -> None:
    path = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
    sweep = ["-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", "hydra.sweeper.n_jobs=1", *TINY[:-1]]
    sweep += ["hydra.sweeper.sampler.seed=5", "optim.lr=choice(1e30,0.1,0.2)", "study.objective=train/loss"]
    command = [sys.executable, "-m", "ablate", *sweep]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "optim.lr=1e+30" in done.stdout
    best = yaml.safe_load(Path("runs/.multirun/optimization_results.yaml").read_text())
    assert best["best_params"]["optim.lr"] in (0.1, 0.2)
    assert 0 < best["best_value"] < 10
