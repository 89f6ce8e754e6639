from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import ablate
from ablate.cell.run import run_cell
from ablate.config.schema import TrainerSchema
from ablate.network.build import build_model, count_parameters
from ablate.training.options import check_options, threshold
from tests.cells import frozen, tiny_cell


def strict_json(path: Path) -> Any:
    """As other readers take it: NaN and infinity are no JSON."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{path} holds {constant}")

    return json.loads(path.read_text(), parse_constant=refuse)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cell = tiny_cell("trainer.epochs=3", "trainer.epochs_to=['train/loss<2.2','test/error < 0.001','train/error<1']")
    folder = frozen(tmp_path_factory.mktemp("runs"), cell)
    (folder / "failure.json").write_text('{"reason": "an earlier try"}')
    run_cell(folder)
    return folder


def test_the_result_says_how_it_ended_and_what_made_it(done: Path) -> None:
    result = strict_json(done / "result.json")
    assert (result["status"], result["reason"]) == ("done", "")
    assert result["id"] == done.name
    assert result["code"] == tiny_cell().code
    assert result["versions"]["torch"] == torch.__version__
    assert result["device"] == "cpu"


def test_metrics_are_the_last_row_of_the_history(done: Path) -> None:
    metrics = strict_json(done / "result.json")["metrics"]
    history = pd.read_csv(done / "history.csv")
    assert history["epoch"].tolist() == [1, 2, 3]
    for name in ("train/loss", "train/error", "test/loss", "test/error"):
        assert metrics[name] == pytest.approx(history[name].iloc[-1])
    assert metrics["seconds"] == pytest.approx(history["seconds"].sum())


def test_metrics_hold_what_the_network_costs(done: Path) -> None:
    metrics = strict_json(done / "result.json")["metrics"]
    model = build_model(tiny_cell().config)
    assert metrics["params"] == count_parameters(model)
    # 8x8 images: stem 1->4; two 4->4; 4->8 and 8->8 at 4x4; 8->16 and 16->16 at 2x2; classifier 16->10.
    assert metrics["flops"] == 64 * 9 * (4 + 16 + 16) + 16 * 9 * (32 + 64) + 4 * 9 * (128 + 256) + 160


def test_epochs_to_a_threshold(done: Path) -> None:
    metrics = strict_json(done / "result.json")["metrics"]
    losses = pd.read_csv(done / "history.csv")["train/loss"]
    below = [epoch for epoch, loss in enumerate(losses, start=1) if loss < 2.2]
    assert metrics["epochs_to/train/loss<2.2"] == (below[0] if below else None)
    assert metrics["epochs_to/train/error<1"] == 1
    assert metrics["epochs_to/test/error<0.001"] is None, "not reached"


def test_what_an_earlier_try_left_is_gone(done: Path) -> None:
    assert {path.name for path in done.iterdir()} == {"cell.yaml", "history.csv", "result.json"}


def test_the_same_cell_gives_the_same_numbers(done: Path, tmp_path: Path) -> None:
    again = frozen(tmp_path, tiny_cell("trainer.epochs=3"))
    run_cell(again)
    one, other = (pd.read_csv(folder / "history.csv").drop(columns="seconds") for folder in (done, again))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_memory_format_changes_no_more_than_rounding(tmp_path: Path) -> None:
    short = ("trainer.epochs=1", "data.batch_size=500")
    losses = [
        run_cell(frozen(tmp_path, tiny_cell(*short, f"trainer.channels_last={value}")))["metrics"]["train/loss"]
        for value in ("true", "false")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_diverged_cell_is_a_result(tmp_path: Path) -> None:
    folder = frozen(tmp_path, tiny_cell("optim.lr=1e30", "trainer.epochs=5", "trainer.epochs_to=['train/loss<0.5']"))
    run_cell(folder)
    result = strict_json(folder / "result.json")
    epochs = len(pd.read_csv(folder / "history.csv"))
    assert result["status"] == "diverged"
    assert result["reason"] == f"the loss was not finite in epoch {epochs}"
    assert epochs < 5
    for name in ("train/loss", "train/error", "test/loss", "test/error", "epochs_to/train/loss<0.5"):
        assert result["metrics"][name] is None
    assert result["metrics"]["params"] > 0
    assert result["metrics"]["seconds"] > 0


def test_a_cell_that_diverges_late_keeps_its_healthy_epochs(tmp_path: Path) -> None:
    warm = ("optim.lr=1e30", "schedule=constant", "schedule.warmup_epochs=1", "schedule.warmup_factor=1e-31")
    folder = frozen(tmp_path, tiny_cell("trainer.epochs=4", *warm))
    assert run_cell(folder)["status"] == "diverged"
    history = pd.read_csv(folder / "history.csv")
    assert len(history) == 2
    assert math.isfinite(history["train/loss"].iloc[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train/loss<0.5", ("train/loss", 0.5)),
        (" test/error < 1e-3 ", ("test/error", 0.001)),
        ("train/error<.25", ("train/error", 0.25)),
        ("test/loss<2", ("test/loss", 2.0)),
    ],
)
def test_thresholds(text: str, expected: tuple[str, float]) -> None:
    assert threshold(text) == expected


@pytest.mark.parametrize(
    "text", ["train/loss", "train/loss>0.5", "loss<1", "train/loss<", "train/loss<1e", "val/loss<1"]
)
def test_what_is_no_threshold_is_refused(text: str) -> None:
    with pytest.raises(ablate.InputError, match=r"is no threshold; write one such as train/loss<0\.5"):
        threshold(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, r"trainer\.epochs=0"),
        ({"eval_every": 0}, r"trainer\.eval_every=0"),
        ({"workers": -1}, r"trainer\.workers=-1"),
        ({"epochs_to": ["loss below 1"]}, r"trainer\.epochs_to: 'loss below 1' is no threshold"),
        ({"precision": "bf61"}, r"unknown trainer\.precision 'bf61'; did you mean 'bf16'\?; known: auto, bf16, fp32"),
        ({"compile": True}, r"unknown trainer\.compile 'True'; known: auto, cudagraphs, inductor, none"),
        ({"channels_last": 1}, r"unknown trainer\.channels_last '1'; known: auto, false, true"),
        ({"compile": "inductor", "checkpoint_blocks": True}, r"trainer\.compile=inductor: .*checkpoint_blocks=false"),
    ],
)
def test_options_of_the_trainer_that_make_no_sense_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ablate.InputError, match=message):
        check_options({**asdict(TrainerSchema()), **change})


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cell_trains_on_a_gpu(tmp_path: Path, done: Path) -> None:
    result = run_cell(frozen(tmp_path, tiny_cell("trainer.epochs=3")), "cuda:0")
    assert result["status"] == "done"
    assert result["device"] == torch.cuda.get_device_name(0)
    on_cpu = strict_json(done / "result.json")["metrics"]
    assert result["metrics"]["train/loss"] == pytest.approx(on_cpu["train/loss"], rel=0.2), "same batches and start"
