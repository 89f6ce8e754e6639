"""What is trained and what is measured, against plain loops written here."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ablate.training.module import Training
from tests.cells import fit, training_of


@pytest.fixture(scope="module")
def trained() -> Training:
    return fit(training_of("trainer.epochs=3"))


def logits_by_hand(training: Training, which: str) -> tuple[np.ndarray, np.ndarray]:
    """Float64 logits of a whole split from the raw bytes, in eval mode, and the labels."""
    reference = training.data.train.images.numpy().astype(np.float64)
    split = getattr(training.data, which)
    images = (split.images.numpy() - reference.mean()) / reference.std()
    model = copy.deepcopy(training.model).double().eval()
    with torch.no_grad():
        return model(torch.from_numpy(images)).numpy(), split.labels.numpy()


@pytest.mark.parametrize("which", ["train", "test"])
def test_metrics_are_those_of_the_last_weights_in_eval_mode_over_the_whole_split(trained: Training, which: str) -> None:
    logits, labels = logits_by_hand(trained, which)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_likelihood = shifted[np.arange(len(labels)), labels] - np.log(np.exp(shifted).sum(axis=1))
    last = trained.history[-1]
    assert last[f"{which}/loss"] == pytest.approx(-log_likelihood.mean(), rel=1e-4)
    assert last[f"{which}/error"] == pytest.approx((logits.argmax(axis=1) != labels).mean(), abs=1e-9)


def test_measuring_leaves_the_network_as_it_was(trained: Training) -> None:
    before = copy.deepcopy(trained.model.state_dict())
    trained.model.train()
    trained.measure()
    assert trained.model.training
    assert all(torch.equal(before[name], value) for name, value in trained.model.state_dict().items())


def test_a_row_an_epoch(trained: Training) -> None:
    assert [row["epoch"] for row in trained.history] == [1, 2, 3]
    columns = {"epoch", "lr", "seconds", "train/loss", "train/error", "test/loss", "test/error"}
    assert all(set(row) == columns for row in trained.history)
    assert all(row["seconds"] > 0 for row in trained.history)


def test_training_is_the_plain_loop() -> None:
    options = ["augment=none", "optim.nesterov=true", "schedule=cosine", "data.batch_size=300"]
    ours = fit(training_of(*options))
    plain = training_of(*options)
    model = plain.model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True)
    for epoch in range(2):
        for step, index in enumerate(plain.data.start_epoch(epoch).split(300)):
            progress = (epoch + step / 5) / 2
            optimizer.param_groups[0]["lr"] = 0.1 * (1 + math.cos(math.pi * progress)) / 2
            images, labels = plain.data.training_batch(index)
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
    for name, value in ours.model.state_dict().items():
        torch.testing.assert_close(value, model.state_dict()[name], msg=lambda text, name=name: f"{name}: {text}")


def test_the_rate_is_set_step_by_step() -> None:
    training = training_of("schedule=step", "schedule.milestones=[0.25,0.75]", "data.batch_size=300")
    rates: list[float] = []

    def keep(module: torch.nn.Module, inputs: object) -> None:
        if module.training:
            rates.append(training.trainer.optimizers[0].param_groups[0]["lr"])

    training.model.register_forward_pre_hook(keep)
    fit(training)
    assert rates == pytest.approx([0.1] * 3 + [0.01] * 5 + [0.001] * 2), "milestones at 2.5 and 7.5 of 10 steps"


def test_eval_every_measures_less_often_but_always_at_the_end() -> None:
    history = fit(training_of("trainer.epochs=4", "trainer.eval_every=3")).history
    assert ["train/loss" in row for row in history] == [False, False, True, True]


def test_how_often_is_measured_does_not_change_training(trained: Training) -> None:
    rarely = fit(training_of("trainer.epochs=3", "trainer.eval_every=3"))
    for name in ("train/loss", "train/error", "test/loss", "test/error"):
        assert rarely.history[-1][name] == trained.history[-1][name]


def test_a_loss_that_is_no_number_ends_training() -> None:
    training = fit(training_of("optim.lr=1e30", "trainer.epochs=5"))
    assert training.diverged
    assert len(training.history) < 5


def test_a_healthy_cell_has_not_diverged(trained: Training) -> None:
    assert not trained.diverged
    assert all(math.isfinite(value) for row in trained.history for value in row.values())


def test_a_batch_larger_than_the_split_is_one_step_an_epoch() -> None:
    assert len(fit(training_of("data.batch_size=5000")).history) == 2
