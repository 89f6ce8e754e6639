"""A cell that was killed goes on from its last whole epoch, and ends as if nothing had happened."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from ablate.cell.run import run_cell
from ablate.training.checkpoints import EpochEnd
from tests.cells import frozen, tiny_cell

# Everything with a state: momentum, a schedule with a warm-up, augmentation, batch statistics, noise in the network.
STATEFUL = (
    "trainer.epochs=4", "shortcut=dropout", "schedule=cosine", "schedule.warmup_epochs=1.5",
    "schedule.warmup_linear=true", "data.batch_size=200", "backbone.drop_path=0.5", "backbone.drop_path_per=image",
)  # fmt: skip


class Killed(Exception):
    pass


@pytest.fixture
def one_thread() -> Iterator[None]:
    """The order of a sum depends on the number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = frozen(tmp_path_factory.mktemp("runs"), tiny_cell(*STATEFUL))
    run_cell(folder)
    return folder


def killed_after(epoch: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train until so many epochs have been written down, and stop in the one after."""

    def die(self: EpochEnd, trainer: Any, module: Any, *rest: Any) -> None:
        if module.current_epoch == epoch:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(EpochEnd, "on_train_batch_end", die)
        with pytest.raises(Killed):
            run_cell(folder)


def outcome(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "history.csv").drop(columns="seconds")


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("epochs", [1, 3])
def test_a_killed_cell_ends_bit_for_bit_as_an_undisturbed_one(
    epochs: int, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = frozen(tmp_path, tiny_cell(*STATEFUL))
    killed_after(epochs, folder, monkeypatch)
    assert len(outcome(folder)) == epochs, "what was done is written down"
    assert not (folder / "result.json").exists()

    begun: list[int] = []
    monkeypatch.setattr(
        EpochEnd, "on_train_epoch_start", lambda self, trainer, module: begun.append(trainer.current_epoch)
    )
    run_cell(folder)

    assert begun == list(range(epochs, 4)), "it goes on where it was"
    pd.testing.assert_frame_equal(outcome(folder), outcome(undisturbed), check_exact=True)


@pytest.mark.usefixtures("one_thread")
def test_killed_twice(undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = frozen(tmp_path, tiny_cell(*STATEFUL))
    killed_after(1, folder, monkeypatch)
    killed_after(1, folder, monkeypatch)
    killed_after(2, folder, monkeypatch)
    run_cell(folder)
    pd.testing.assert_frame_equal(outcome(folder), outcome(undisturbed), check_exact=True)


def truncate(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1000])


def flip_a_bit(checkpoint: Path) -> None:
    content = bytearray(checkpoint.read_bytes())
    with zipfile.ZipFile(checkpoint) as archive:
        largest = max(archive.infolist(), key=lambda member: member.file_size)
        place = content.index(archive.read(largest)[:64])
    content[place] ^= 1
    checkpoint.write_bytes(content)


def other_code(checkpoint: Path) -> None:
    torch.save({**torch.load(checkpoint, weights_only=True), "code": "older"}, checkpoint)


DAMAGE = {
    "truncated": truncate,
    "a bit flipped": flip_a_bit,
    "empty": lambda checkpoint: checkpoint.write_bytes(b""),
    "text": lambda checkpoint: checkpoint.write_text("not a checkpoint"),
    "another pickle": lambda checkpoint: torch.save([1, 2], checkpoint),
    "made by other code": other_code,
}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_checkpoint_that_is_of_no_use_is_left_with_a_warning(
    damage: str,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = frozen(tmp_path, tiny_cell(*STATEFUL))
    killed_after(1, folder, monkeypatch)
    DAMAGE[damage](folder / "last.ckpt")
    with caplog.at_level(logging.WARNING, "ablate"):
        run_cell(folder)
    warnings = [record.getMessage() for record in caplog.records if record.name.startswith("ablate")]
    assert len(warnings) == 1
    assert str(folder / "last.ckpt") in warnings[0]
    assert "starts from its first epoch" in warnings[0]
    pd.testing.assert_frame_equal(outcome(folder), outcome(undisturbed), check_exact=True)


def test_a_finished_cell_keeps_its_history_and_no_checkpoint(undisturbed: Path) -> None:
    assert {path.name for path in undisturbed.iterdir()} == {"cell.yaml", "history.csv", "result.json"}
    assert outcome(undisturbed)["epoch"].tolist() == [1, 2, 3, 4]
