"""What a probe, a measurement and a callback must do: look on, and be there again after a cell was killed."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
import pytorch_lightning as pl
import torch

from ablate import registry
from ablate.cell.besides import measure_cell, stored_network
from ablate.cell.callbacks import build_callbacks
from ablate.cell.run import run_cell
from ablate.interfaces.chart import Chart
from ablate.interfaces.measurement import Measured, Measurement, Trained
from ablate.interfaces.probe import Course, Probe
from ablate.measure.measuring import take
from ablate.run.store import Store
from ablate.study.cells import Cell
from ablate.study.plan import plan_study
from ablate.system.files import read_json
from ablate.testing._base import Conformance
from ablate.training.checkpoints import resumable

TINY = ("depth=8", "width=0.25", "trainer.epochs=4", "data.batch_size=256", "shortcut=dropout", "order=pre")
KILLED_IN = 2  # epoch


class Killed(pl.Callback):
    """Ends training at the start of an epoch, as a signal would."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == KILLED_IN:
            raise KeyboardInterrupt


# Lightning 2.6 uses what torch 2.13 calls deprecated; nothing that is tested here.
@pytest.mark.filterwarnings("ignore::FutureWarning:pytorch_lightning")
class LookingConformance(Conformance):
    """What holds for all that looks on; subclass the class of your plugin's kind instead.

    Attributes:
        overrides: of the small network, where the plugin needs something in it, such as `aux=linear`.
        varying: columns of its table and of results that are not the same in each run, such as times.
    """

    group: ClassVar[str]
    overrides: ClassVar[tuple[str, ...]] = ()
    varying: ClassVar[tuple[str, ...]] = ()

    @pytest.fixture(autouse=True)
    def _workshop(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A working directory of the test's own, and one thread, so that runs can be compared to the bit."""
        monkeypatch.chdir(tmp_path)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        with registry.isolated():
            yield
        torch.set_num_threads(threads)

    def cell(self, *overrides: str) -> Cell:
        """A cell of a small network that draws while it trains, with the plugin."""
        return _cell([*self.overrides, f"{self.group}=[{self.name}]", *overrides], self.group, self.node)

    def plain_cell(self) -> Cell:
        """The same without it."""
        return _cell(list(self.overrides))

    def train(self, study: str, *overrides: str, keep: tuple[str, ...] = ()) -> Path:
        """Train it to the end; gives the cell's folder."""
        folder = _frozen(self.cell(*overrides), study, keep)
        run_cell(folder)
        return folder

    def killed(self, study: str) -> Path:
        """Train it, and be killed; gives the cell's folder."""
        folder = _frozen(self.cell(), study)
        with pytest.raises(SystemExit):  # Lightning's answer to an interrupt
            run_cell(folder, "cpu", Killed())
        return folder

    def figures(self, folder: Path) -> dict[str, Any]:
        """What a cell has given, but for times."""
        metrics = read_json(folder / "result.json", metrics=dict)["metrics"]
        varying = {"seconds", *(f"{self.name}/{column}" for column in self.varying)}
        path = folder / self.group / f"{self.name}.csv"
        return {
            "metrics": {name: value for name, value in metrics.items() if name not in varying},
            "history": _table(folder / "history.csv", ("seconds",)),
            "table": _table(path, self.varying) if path.exists() else [],
        }

    def undrawn(self, plugin: Probe | Measurement, table: list[dict[str, str]]) -> list[Chart]:
        """The charts that a plugin declares itself and that its table lacks columns for."""
        declared = [chart for chart in plugin.charts if chart not in (*Probe.charts, *Measurement.charts)]
        known = {column for row in table for column in row} | set(self.varying)
        return [chart for chart in declared if not set(chart.columns) <= known]


class ProbeConformance(LookingConformance):
    """Tests of a probe, with cells of about a second."""

    kind = "probe"
    group = "probes"
    _trained: ClassVar[dict[Any, dict[str, Any]]] = {}  # several tests ask for the same cells

    def make(self) -> Probe:
        """The probe."""
        return cast(Probe, registry.build(self.kind, self.node))

    def whole(self) -> dict[str, Any]:
        """The figures of a cell that was trained to its end with the probe."""
        key = registry.lookup(self.kind, self.name).factory, repr(self.node), self.overrides
        if key not in self._trained:
            self._trained[key] = self.figures(self.train("whole"))
        return self._trained[key]

    def without(self) -> dict[str, Any]:
        """The same without it."""
        if self.overrides not in self._trained:
            folder = _frozen(self.plain_cell(), "plain")
            run_cell(folder)
            self._trained[self.overrides] = self.figures(folder)
        return self._trained[self.overrides]

    def test_it_asks_for_steps_that_there_are(self) -> None:
        for course in (Course(1, 1), Course(3, 7), Course(10, 200)):
            assert [step for step in self.make().steps(course) if not 0 <= step < course.steps] == []

    def test_what_is_trained_is_the_same_with_and_without_it(self) -> None:
        without, figures = self.without(), self.whole()
        assert figures["history"] == without["history"]
        assert figures["metrics"] | without["metrics"] == figures["metrics"]

    def test_it_gives_what_it_names(self) -> None:
        metrics = self.whole()["metrics"]
        own = [name.partition("/")[2] for name in metrics if name.startswith(f"{self.name}/")]
        assert own == [column for column in self.make().columns if column not in self.varying]
        assert [name for name, value in metrics.items() if value is None] == [], "these have no number"

    def test_it_goes_on_behind_a_checkpoint(self) -> None:
        folder = self.killed("killed")
        run_cell(folder)
        assert self.figures(folder) == self.whole()

    def test_its_table_has_what_its_charts_draw(self) -> None:
        assert self.undrawn(self.make(), self.whole()["table"]) == []

    def test_its_state_is_plain(self) -> None:
        assert json.loads(json.dumps(self.make().state())) == self.make().state()


class MeasurementConformance(LookingConformance):
    """Tests of a measurement, with cells of about a second."""

    kind = "measurement"
    group = "measurements"

    def make(self) -> Measurement:
        """The measurement."""
        return cast(Measurement, registry.build(self.kind, self.node))

    def network(self, folder: Path) -> Trained:
        """The network of a cell; every other arm has its network, too."""
        config = self.cell().config
        return stored_network(folder, config, "cpu", others=lambda arm: stored_network(folder, config, "cpu", arm=arm))

    def test_it_gives_what_it_names(self) -> None:
        measured = self.make().measure(self.network(self.train("kept", keep=("weights",))))
        assert isinstance(measured, Measured)
        assert list(measured.values) == list(self.make().columns)

    def test_it_gives_the_same_each_time(self) -> None:
        folder = self.train("kept", keep=("weights",))
        found: list[Any] = []
        for place in ("one", "other"):
            torch.manual_seed(len(found))
            values, _ = take({self.name: self.node}, cast(Any, self.network(folder)), Path(place))
            path = Path(place) / self.group / f"{self.name}.csv"
            kept = {name: value for name, value in values.items() if name.partition("/")[2] not in self.varying}
            found.append((kept, _table(path, self.varying) if path.exists() else []))
        assert found[0] == found[1], "what is drawn comes from `trained.generator`"
        assert self.undrawn(self.make(), found[0][1]) == [], "charts that its table lacks columns for"

    def test_it_gives_the_same_later_as_at_the_end_of_the_cell(self) -> None:
        if self.make().needs_others:
            pytest.skip("it waits for other cells anyway")
        folder = self.train("kept", keep=("weights",))
        at_the_end = self.figures(folder)
        torch.manual_seed(1)
        Store("runs", "kept").freeze_to_measure(folder.name, {self.name: self.node}, "", {})
        measure_cell(folder)
        assert self.figures(folder) == at_the_end


class CallbackConformance(LookingConformance):
    """Tests of a Lightning callback, with cells of about a second."""

    kind = "callback"
    group = "callbacks"

    def test_it_is_one(self) -> None:
        (callback,) = build_callbacks(self.cell().config)
        assert isinstance(callback, pl.Callback)

    def test_a_cell_trains_with_it(self) -> None:
        figures = self.figures(self.train("called"))
        assert all(value is not None for value in figures["metrics"].values())
        assert 1 <= len(figures["history"]) <= 4

    def test_it_changes_nothing_where_it_says_so(self) -> None:
        if not registry.lookup(self.kind, self.name).is_incidental:
            pytest.skip("it may change what is trained, and is part of a cell's ID")
        plain = _frozen(self.plain_cell(), "plain")
        run_cell(plain)
        assert self.figures(self.train("called")) == self.figures(plain)

    def test_it_goes_on_behind_a_checkpoint(self) -> None:
        folder = _frozen(self.cell(), "killed")
        try:
            run_cell(folder, "cpu", Killed())
        except SystemExit:
            assert resumable(folder, self.cell().code), "its state does not load: plain values and tensors do"
            run_cell(folder)
        assert self.figures(folder) == self.figures(self.train("whole"))


def _cell(overrides: list[str], group: str = "", node: dict[str, Any] | None = None) -> Cell:
    options = [f"{group}.{(node or {})['name']}.{key}={value}" for key, value in (node or {}).items() if key != "name"]
    (cell,) = plan_study([*TINY, *overrides, *options]).cells
    return cell


def _frozen(cell: Cell, study: str, keep: tuple[str, ...] = ()) -> Path:
    store = Store("runs", study)
    store.prepare()
    return store.freeze(cell, keep)


def _table(path: Path, leave_out: tuple[str, ...]) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return [{key: row[key] for key in row if key not in leave_out} for row in csv.DictReader(file)]
