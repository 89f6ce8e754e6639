"""Fits last as long as is asked for, with a bound on memory; bounds are those of the kind of machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from ablate import registry
from ablate.bench import machine, overhead, speedup, throughput
from ablate.bench.setting import Setting, digits, noise, of_epochs
from ablate.bench.sizing import count_for


@pytest.mark.parametrize("each", [1e-4, 0.03, 0.9, 7.0])
@pytest.mark.parametrize("once", [0.0, 0.4, 20.0])
def test_a_fit_gets_as_many_epochs_as_it_needs_to_last(each: float, once: float) -> None:
    """Also where the first one pays for what is done once."""
    tried: list[float] = []

    def fit(count: int) -> float:
        tried.append(count * each + (0.0 if tried else once))
        return tried[-1]

    count = count_for(5.0, fit)
    assert tried[-1] >= 5.0, "the last trial lasted"
    assert all(one < 5.0 for one in tried[:-1])
    assert count * each >= 5.0 or len(tried) == 1
    assert count == 1 or count * each <= 5.0 * 1.2 + 2 * each, "and not much longer than asked for"


def test_a_clock_that_stands_still_or_a_bench_made_small_does_not_keep_it() -> None:
    taken = iter([0.0, 0.0, 6.0])
    assert count_for(5.0, lambda count: next(taken)) == 2500
    assert Setting("cpu", 1, 5.0, smallest=True).count(lambda count: 0.001, 4) == 4
    assert Setting("cpu", 1, 0.0).count(lambda count: 0.001) == 1


def test_epochs_of_random_images_have_a_bound_on_every_device() -> None:
    slow, card, small = Setting("cpu", 1), Setting("cuda:0", 1), Setting("cuda:0", 1, smallest=True)
    assert [one.images(1280) for one in (slow, card, small)] == [1280, 12_800, 256]


def test_each_fit_of_an_overhead_lasts_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    fits: list[tuple[str, float]] = []

    def lasting(name: str, each: float) -> Callable[..., float]:
        def fit(config: dict[str, Any], *rest: Any) -> float:
            fits.append((name, each * config["trainer"]["epochs"]))
            return fits[-1][1]

        return fit

    monkeypatch.setattr(overhead, "_ours", lasting("ours", 0.21))
    monkeypatch.setattr(overhead, "_bare", lasting("bare", 0.2))
    *_, (figure,) = overhead.digits_overhead(Setting("cpu", 3, 5.0), 20)
    assert figure.values == pytest.approx([1.05] * 3)
    assert [name for name, _ in fits[-6:]] == ["ours", "bare", "bare", "ours", "ours", "bare"]
    assert all(seconds >= 5.0 for _, seconds in fits[-6:])
    assert {name for name, _ in fits[:-6]} == {"ours", "bare"}, "what is done once is done before"


def test_the_bare_loop_of_many_epochs_keeps_the_batches_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    made, steps = [], []
    batches = overhead._batches
    monkeypatch.setattr(overhead, "_batches", lambda training, epoch: made.append(epoch) or batches(training, epoch))
    monkeypatch.setattr(overhead, "_loop", lambda training, epochs: steps.extend(len(one) for one in epochs))
    overhead._bare(of_epochs(digits(8, 1, "width=0.25"), 7), "cpu")
    assert made == [0, 1]
    assert len(steps) == 7


def test_slots_and_plain_loop_are_sized_each_by_itself_and_compared_by_images(monkeypatch: pytest.MonkeyPatch) -> None:
    each = {speedup.train_in_slot: 0.5, speedup.train_in_loop: 2.0}
    runs: list[tuple[Any, int, float]] = []

    def side_by_side(jobs: Sequence[speedup.Job]) -> list[tuple[float, float]]:
        train, config = jobs[0][:2]
        seconds = (config["trainer"]["epochs"] - speedup.WARM_UP) * each[train]
        assert config["trainer"]["eval_every"] == config["trainer"]["epochs"], "measured once, uncounted"
        runs.append((train, len(jobs), seconds))
        return [(seconds, 500.0 + len(runs))] * len(jobs)

    monkeypatch.setattr(speedup, "_side_by_side", side_by_side)
    monkeypatch.setattr(speedup, "cores", lambda: 2)
    monkeypatch.setattr(speedup, "has_bf16_units", lambda: True)
    with registry.isolated():
        *_, (ours, theirs, ratio, memory) = speedup.speedup(Setting("cpu", 2, 5.0))
    assert ours.values == pytest.approx([2 * 1280 / 0.5] * 2)
    assert theirs.values == pytest.approx([1280 / 2.0] * 2)
    assert ratio.values == pytest.approx([8.0] * 2)
    assert all(seconds >= 5.0 for _, _, seconds in runs[-4:])
    counted = [500.0 + place for place, (train, _, _) in enumerate(runs, 1) if train is speedup.train_in_slot]
    assert memory.values == counted[-2:]


@pytest.mark.parametrize(("units", "bound"), [(True, 2.5), (False, 1.4), (None, None)])
def test_the_speedup_is_held_to_the_bound_of_the_kind_of_cpu(
    units: bool | None, bound: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speedup, "has_bf16_units", lambda: units)
    assert speedup.bound("cpu") == bound
    assert speedup.bound("cuda:0") == 2.5


@pytest.mark.parametrize(
    ("siblings", "physical"),
    [(["0", "1", "2", "3"], 4), (["0,2", "1,3", "0,2", "1,3"], 2), (["0-3"] * 4, 1), (["0-1", "0-1"], None)],
)
def test_hardware_threads_of_one_core_are_counted_once(
    siblings: list[str], physical: int | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1, 2, 3}, raising=False)
    for number, text in enumerate(siblings):
        folder = tmp_path / f"cpu{number}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{text}\n")
    assert machine.physical_cores(tmp_path) == physical


@pytest.mark.parametrize(("physical", "shares", "bound"), [(4, False, 3.8), (2, True, None), (None, False, 3.8)])
def test_slots_that_share_cores_are_held_to_nothing(
    physical: int | None, shares: bool, bound: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "physical_cores", lambda: physical)
    monkeypatch.setattr(machine, "cores", lambda: 4)
    assert machine.slots_share_cores() is shares
    assert throughput._bound(1.9, 4) == bound


@pytest.mark.parametrize(
    ("units", "physical", "words"),
    [
        (True, 4, "a CPU, bf16 units, 4 CPU cores, Python"),
        (False, 2, "a CPU, no bf16 units, 4 CPU cores (threads of 2 physical), Python"),
        (None, None, "a CPU, bf16 units unknown, 4 CPU cores, Python"),
    ],
)
def test_the_line_of_the_machine_says_what_bounds_depend_on(
    units: bool | None, physical: int | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "has_bf16_units", lambda: units)
    monkeypatch.setattr(machine, "physical_cores", lambda: physical)
    monkeypatch.setattr(machine, "cores", lambda: 4)
    monkeypatch.setattr(machine, "processor", lambda: "a CPU")
    assert machine.in_words(machine.machine_of("cpu")).startswith(words)


def test_networks_compute_as_was_picked_on_both_sides_of_the_ceiling() -> None:
    """In fp32 and contiguous, too, which is what a CPU without units for bf16 may take."""
    from ablate.bench import ceiling

    with registry.isolated():
        config = noise(8, 1, 128, "trainer.precision=fp32", "trainer.channels_last=false", "width=0.25")
        found = ceiling._record(ceiling._on_device(config, "cpu"))
    assert len(found) >= 7
    assert {x.dtype for _, x in found} == {torch.float32}
