"""Lightning callbacks of the user's own: what Lightning promises them holds, and the numbers stay."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, LearningRateMonitor

from ablate import InputError, register, registry
from ablate.cell.callbacks import build_callbacks
from ablate.cell.run import run_cell
from ablate.network.loss import training_loss
from ablate.preflight.check import check_parts
from tests.cells import frozen, tiny_cell, training_of

HOOKS = sorted(name for name in vars(pl.Callback) if name.startswith(("on_", "setup", "teardown")))
BATCHES = ("data.batch_size=256",)  # six steps an epoch


class Counting(pl.Callback):
    """Counts every hook, with what it was called with."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.batches: list[Any] = []
        self.rates: list[float] = []
        self.outputs: list[Any] = []
        for name in HOOKS:
            setattr(self, name, self._counting(name))

    def _counting(self, name: str) -> Callable[..., None]:
        def hook(*args: Any, **kwargs: Any) -> None:
            self.counts[name] += 1
            if name == "on_train_batch_start":
                self.batches.append(args[2])
                self.rates.append(args[0].optimizers[0].param_groups[0]["lr"])
            if name == "on_train_batch_end":
                self.outputs.append(args[2])

        return hook


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    with registry.isolated():
        yield


def ready(make: Callable[[], Any], name: str = "mine") -> tuple[str, ...]:
    """Make a callback known; the override that chooses it."""

    @register("callback", name)
    def callback() -> Any:
        """One of the test's own."""
        return make()

    return (f"callbacks=[{name}]",)


def trained(runs: Path, study: str, *overrides: str) -> tuple[Path, dict[str, Any]]:
    folder = frozen(runs, tiny_cell(*BATCHES, *overrides), study)
    return folder, run_cell(folder)


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open() as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


class Batches:
    """Of the first epoch, each time."""

    def __init__(self, training: Any) -> None:
        feed = training.data
        self.batches = list(feed.training_batches(feed.start_epoch(0).split(256)))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class Plain(pl.LightningModule):
    """The same steps under manual optimisation, as Lightning's documentation writes them."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        training = training_of(*BATCHES)
        self.model, self.optim, self.batches = training.model, training.optim, Batches(training)

    def train_dataloader(self) -> Batches:
        return self.batches

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optim.build(self.model)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        loss = training_loss(self.model, *batch)
        self.manual_backward(loss)
        optimizer.step()
        return loss


def plain_counts() -> Counter[str]:
    counting = Counting()
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=2, callbacks=[counting], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(Plain())
    return counting.counts


def test_every_hook_is_called_as_often_as_in_a_module_of_lightnings_own(tmp_path: Path) -> None:
    counting = Counting()
    trained(tmp_path, "counted", *ready(lambda: counting))
    ours, plain = counting.counts, plain_counts()
    saved = {"on_save_checkpoint"}  # a cell keeps a checkpoint at the end of each epoch but the last
    assert {name: n for name, n in ours.items() if name not in saved} == dict(plain)
    assert ours["on_save_checkpoint"] == 1
    assert plain["on_before_optimizer_step"] == plain["on_before_backward"] == plain["on_after_backward"] == 12


def test_a_batch_is_images_and_labels_and_its_rate_is_set(tmp_path: Path) -> None:
    counting = Counting()
    trained(tmp_path, "seen", *ready(lambda: counting), "schedule=cosine", "optim.lr=0.1")
    assert [tuple(images.shape) for images, _ in counting.batches[:6]] == [(256, 1, 8, 8)] * 5 + [(157, 1, 8, 8)]
    assert all(labels.dtype == torch.int64 and len(labels) == len(images) for images, labels in counting.batches)
    expected = [0.05 * (1 + torch.cos(torch.tensor(torch.pi * step / 12)).item()) for step in range(12)]
    assert counting.rates == pytest.approx(expected, rel=1e-4)
    assert all(not output["loss"].requires_grad for output in counting.outputs)


@pytest.mark.parametrize("network", [(), ("shortcut=dropout", "order=pre"), ("aux=linear", "aux.at=[stage2]")])
@pytest.mark.slow
def test_one_that_only_looks_on_changes_no_bit(tmp_path: Path, network: tuple[str, ...]) -> None:
    plain, bare = trained(tmp_path, "plain", *network)
    for name, make in {"steps": Counting, "epochs": pl.Callback}.items():
        folder, result = trained(tmp_path, name, *network, *ready(make, name))
        assert history(folder) == history(plain)
        assert result["metrics"]["test/loss"] == bare["metrics"]["test/loss"]


def test_a_callback_is_part_of_the_id_unless_it_says_it_is_incidental() -> None:
    class Quiet(pl.Callback):
        """Looks on."""

        incidental = True

    register("callback", "quiet")(Quiet)
    plain = tiny_cell(*BATCHES)
    assert tiny_cell(*BATCHES, *ready(Counting)).id != plain.id
    assert tiny_cell(*BATCHES, "callbacks=[quiet]").id == plain.id
    assert tiny_cell(*BATCHES, "callbacks=[quiet]").code == plain.code


def test_metrics_are_there_at_the_end_of_an_epoch(tmp_path: Path) -> None:
    seen: list[dict[str, float]] = []

    class Reading(pl.Callback):
        def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
            seen.append({key: float(value) for key, value in trainer.callback_metrics.items()})

    folder, _ = trained(tmp_path, "read", *ready(Reading))
    rows = [{key: float(value) for key, value in row.items() if "/" in key} for row in history(folder)]
    assert [set(one) for one in seen] == [{"train/loss", "train/error", "test/loss", "test/error"}] * 2
    assert seen == [pytest.approx(row, rel=1e-6) for row in rows]


def test_early_stopping_ends_the_history_and_the_result_says_so(tmp_path: Path) -> None:
    stopping = ready(lambda: EarlyStopping("test/loss", patience=1, min_delta=100.0))
    folder, result = trained(tmp_path, "stopped", *stopping, "trainer.epochs=6")
    assert [row["epoch"] for row in history(folder)] == ["1", "2"]
    assert (result["status"], result["reason"]) == ("done", "a callback ended it after epoch 2 of 6")
    assert result["metrics"]["test/loss"] == float(history(folder)[-1]["test/loss"])


def test_a_cell_that_is_ended_between_two_measurements_is_measured(tmp_path: Path) -> None:
    class Ends(pl.Callback):
        def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
            trainer.should_stop = trainer.current_epoch == 1

    folder, result = trained(tmp_path, "ended", *ready(Ends), "trainer.epochs=6", "trainer.eval_every=3")
    plain, _ = trained(tmp_path, "plain", "trainer.epochs=6")
    assert history(folder)[-1]["test/loss"] == history(plain)[1]["test/loss"]
    assert result["metrics"]["test/loss"] == float(history(folder)[-1]["test/loss"])


def test_one_that_was_killed_after_its_end_ends_there_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = ("callbacks=[early_stopping]", "callbacks.early_stopping.patience=1", "trainer.epochs=6")
    overrides = (*overrides, "callbacks.early_stopping.min_delta=100.0")
    whole, _ = trained(tmp_path, "whole", *overrides)
    folder = frozen(tmp_path, tiny_cell(*BATCHES, *overrides), "killed")
    with monkeypatch.context() as patch:
        patch.setattr("ablate.cell.run.write_json", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_cell(folder)
    run_cell(folder)
    assert history(folder) == history(whole)


def test_what_a_callback_logs_is_kept_a_row_a_step_also_over_a_resume(tmp_path: Path) -> None:
    overrides = (*ready(lambda: LearningRateMonitor("step")), "schedule=cosine", "trainer.epochs=4")

    class Stop(pl.Callback):
        def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
            if trainer.current_epoch == 2:
                raise KeyboardInterrupt

    whole, _ = trained(tmp_path, "whole", *overrides)
    folder = frozen(tmp_path, tiny_cell(*BATCHES, *overrides), "killed")
    with pytest.raises(SystemExit):
        run_cell(folder, "cpu", Stop())
    with (folder / "callbacks.csv").open("a") as file:
        file.write("12,0.5\n")  # behind the checkpoint
    run_cell(folder)
    texts = [(one / "callbacks.csv").read_text() for one in (folder, whole)]
    assert texts[0] == texts[1]
    assert len(texts[0].splitlines()) == 1 + 4 * 6


@pytest.mark.parametrize("way", ["inductor", "cudagraphs"])
def test_compiled_steps_are_refused_beside_one_that_is_called_in_each(way: str) -> None:
    cell = tiny_cell(*BATCHES, *ready(Counting), f"trainer.compile={way}")
    with pytest.raises(InputError, match=rf"^callback 'mine' is called in each step, and trainer.compile={way} takes"):
        check_parts(cell.config)
    check_parts(tiny_cell("callbacks=[early_stopping]", f"trainer.compile={way}").config)


def test_what_is_no_callback_is_refused() -> None:
    cell = tiny_cell(*ready(lambda: 3))
    with pytest.raises(InputError, match=r"callback 'mine' makes a int, which is no pytorch_lightning\.Callback"):
        build_callbacks(cell.config)
