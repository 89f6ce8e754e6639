"""Training time of cells whose study is followed by a tracker, over that of the same cells without one."""

from __future__ import annotations

import io
import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from ablate import registry
from ablate.bench.figure import Measured, at_most, interleaved
from ablate.bench.setting import Setting
from ablate.bench.throughput import Quiet
from ablate.errors import AblateError, InputError
from ablate.interfaces.engine import CellPlace, Job
from ablate.interfaces.tracker import Tracker
from ablate.run.following import Followers
from ablate.run.listeners import Several
from ablate.run.scheduling import run_jobs
from ablate.run.store import RESULT, Store
from ablate.run.stored_result import read_result
from ablate.study.plan import Study, plan_study
from ablate.system.quotas import cores

BOUND = 1.02
DEPTH, EPOCHS = 20, 4  # epochs of the first trial
CELLS = 3  # for each core: what a tracker needs once a study, as to import its library, is not one cell's to bear
# Each writes beside the study, whatever the environment names: nothing of a bench is for somebody's server.
LOCAL: dict[str, Callable[[Path], Mapping[str, Any]]] = {
    "jsonl": lambda folder: {},
    "wandb": lambda folder: {"mode": "offline"},
    "mlflow": lambda folder: {"uri": f"sqlite:///{folder}/mlflow.db"},
    "tensorboard": lambda folder: {},
}


def tracker_cost(setting: Setting) -> Measured:
    """The ratio for each tracker that is installed, of ResNet-20 on digits with every core taken by a cell.

    A tracker has a thread in the study's process, and some have a process of their own: where all cores are taken, what
    they use is taken from the cells.
    """
    epochs = setting.count(lambda count: _trained(_planned(count), ""), 1 if setting.smallest else EPOCHS)
    study = _planned(epochs)
    for name in LOCAL:
        if not _is_here(name):
            continue
        for pairs in interleaved(lambda name=name: _trained(study, name), lambda: _trained(study, ""), setting.pairs):  # type: ignore[misc]
            what = f"training time of {len(study.cells)} cells with tracker {name} over without, ResNet-20, digits"
            yield [at_most(what, "x", pairs.ratios, pairs.of, BOUND)]


def _planned(epochs: int) -> Study:
    return plan_study([f"depth={DEPTH}", f"trainer.epochs={epochs}", f"study.seeds={CELLS * cores()}"])


def _trained(study: Study, tracker: str) -> float:
    """Seconds that a cell trains, as the mean over those that train side by side; with a tracker, or none."""
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), "bench")
        store.prepare()
        record = store.write_study(study)
        places = [CellPlace(cell.id, store.freeze(cell), store.lock_file(cell.id)) for cell in study.cells]
        jobs = [Job((place,), 1.0) for place in places]
        engine = registry.build("engine", {"name": "local", "slots": cores()})
        trackers = {tracker: _built(tracker, Path(folder))} if tracker else {}
        with Followers(trackers, store.folder, Console(file=said)) as followers:
            followers.begin(record)
            run_jobs(engine, jobs, Several([followers, Quiet()]), lambda job: (job.folder / RESULT).exists())
        if followers.stopped:
            raise AblateError(f"bench: {' '.join(said.getvalue().split())}")
        return statistics.fmean(read_result(place.folder / RESULT)["metrics"]["seconds"] for place in places)


def _built(name: str, folder: Path) -> Tracker:
    tracker: Tracker = registry.build("tracker", {"name": name, **LOCAL[name](folder)})
    return tracker


def _is_here(name: str) -> bool:
    """Whether a tracker's package is installed: it says so where it is built."""
    try:
        _built(name, Path())
    except InputError:
        return False
    return True
