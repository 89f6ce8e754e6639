"""What the bench compares, and how it tells it; how fast this machine is, is no matter for a test."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from ablate import InputError, registry
from ablate.bench import data_path, overhead, run, setting, speedup, streaming, throughput
from ablate.bench.figure import Figure, at_least, at_most, interleaved
from ablate.bench.overhead import NOISE_IMAGES
from ablate.bench.plain import Images, Plain
from ablate.cell.run import build_training
from ablate.network.build import count_parameters

CPU = setting.Setting("cpu", 1)


@pytest.fixture(autouse=True)
def own_plugins() -> Iterator[None]:
    """The bench brings a data set, which no other test should find."""
    setting.noise(20, 1, 128)
    with registry.isolated():
        yield


def printed(**options: Any) -> str:
    out = io.StringIO()
    run.run_bench(Console(file=out, width=200), **{"as_json": False, "pairs": 1, **options})
    return out.getvalue()


def test_pairs_alternate_after_a_warm_up_of_each() -> None:
    order: list[str] = []
    times = {"ours": iter([9.0, 2.0, 3.0]), "theirs": iter([9.0, 1.0, 2.0])}

    def measure(name: str) -> float:
        order.append(name)
        return next(times[name])

    first, second, ratios = interleaved(lambda: measure("ours"), lambda: measure("theirs"), 2)
    assert order == ["ours", "theirs", "ours", "theirs", "theirs", "ours"]
    assert (first, second, ratios) == ([2.0, 3.0], [1.0, 2.0], [2.0, 1.5])


@pytest.mark.parametrize(
    ("figure", "meets"),
    [
        (at_most("a", "x", [1.0, 1.1, 9.0], 1.1), True),
        (at_most("a", "x", [1.0, 1.2, 1.3], 1.1), False),
        (at_least("a", "x", [0.1, 2.0, 3.0], 2.0), True),
        (at_least("a", "x", [1.0, 1.9, 9.0], 2.0), False),
        (Figure("a", "images/s", [1.0]), None),
    ],
)
def test_the_median_is_held_against_the_bound(figure: Figure, meets: bool | None) -> None:
    assert figure.meets is meets
    assert figure.to_dict()["meets"] is meets


def test_parts_are_chosen_by_how_their_names_begin() -> None:
    quick, all_of_them = run.parts("", everything=False), run.parts("", everything=True)
    assert set(quick) < set(all_of_them) == set(run.PARTS)
    assert run.parts("overhead-32x32", everything=False) == [f"overhead-32x32-{depth}" for depth in NOISE_IMAGES]
    with pytest.raises(InputError, match="unknown part of the bench 'sped'; did you mean 'speedup'"):
        run.parts("sped", everything=False)


def test_figures_are_told_with_the_machine_and_its_load(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = [at_most("overhead of it", "x", [1.2, 1.0, 1.02], 1.03), Figure("speed of it", "images/s", [812.0])]
    monkeypatch.setattr(run, "PARTS", {"made-up": run.Part(lambda setting: iter(figures))})
    monkeypatch.setattr("os.getloadavg", lambda: (3.25, 0.0, 0.0))
    text = printed()
    assert "load average 3.2: other processes are at work here" in text
    assert "overhead of it: 1.02 x" in text
    assert "812" in text
    told = json.loads(printed(as_json=True))
    assert told["machine"]["torch"] == torch.__version__
    assert told["machine"]["load"] == 3.25
    assert [(one["name"], one["median"], one["meets"]) for one in told["figures"]] == [
        ("overhead of it", 1.02, True),
        ("speed of it", 812.0, None),
    ]


def test_the_plain_loop_trains_the_same_network_on_the_same_images() -> None:
    config = setting.noise(20, 1, 128)
    plain, training = Plain(config), build_training(config, torch.device("cpu"))
    assert count_parameters(plain.model) == count_parameters(training.model) == 269_722
    assert torch.equal(plain.data.load().train.images, training.data.train.images)
    image, label = Images(plain.data.load().train)[3]
    assert image.shape == (3, 32, 32)
    assert label == training.data.train.labels[3]
    (optimizer,) = [plain.configure_optimizers()]
    ours = training.configure_optimizers()
    for key in ("lr", "momentum", "weight_decay", "nesterov"):
        assert optimizer.param_groups[0][key] == ours.param_groups[0][key]


def test_the_bare_loop_and_the_cell_end_with_the_same_weights() -> None:
    config = setting.digits(8, 2, "width=0.25", "augment=none", "optim.lr=0.05", "schedule=constant")
    loop, cell = (build_training(config, torch.device("cpu")) for _ in range(2))
    overhead._loop(loop, [overhead._batches(loop, epoch) for epoch in range(2)])
    overhead.fit(cell, overhead.build_trainer(config, "cpu"))
    for name, value in loop.model.state_dict().items():
        torch.testing.assert_close(cell.model.state_dict()[name], value)


def test_the_data_path_alone_takes_no_optimiser_step() -> None:
    steps = data_path.Steps(setting.digits(8, 1, "width=0.25"), "cpu", idle=True)
    before = {name: value.clone() for name, value in steps.training.named_parameters()}
    assert steps() > 0
    assert all(torch.equal(before[name], value) for name, value in steps.training.named_parameters())


def test_pictures_are_streamed_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    streaming.write_pictures(tmp_path, 70)
    epoch = streaming.Epoch(tmp_path, "cpu", workers=0)
    batches: list[tuple[int, ...]] = []
    take = epoch.feed.training_batch

    def kept(index: torch.Tensor) -> Any:
        images, labels = take(index)
        batches.append(tuple(images.shape))
        return images, labels

    monkeypatch.setattr(epoch.feed, "training_batch", kept)
    assert epoch() > 0
    assert epoch() > 0
    assert batches == [(64, 3, 224, 224), (6, 3, 224, 224)] * 2


def test_a_package_that_is_missing_is_named_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        run.PARTS, "made-up", run.Part(lambda setting: iter([]), quick=False, needs=("nowhere", "nowhere>=2"))
    )
    assert "made-up" not in run.parts("", everything=False)
    for chosen in ({"only": "made", "everything": False}, {"only": "", "everything": True}):
        with pytest.raises(InputError, match=r"part made-up needs nowhere: pip install 'nowhere>=2'"):
            run.parts(**chosen)


@pytest.mark.slow
def test_every_part_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """At sizes that say nothing of speed."""
    pytest.importorskip("PIL", reason="Pillow is not installed")
    monkeypatch.setattr(overhead, "DIGITS_EPOCHS", dict.fromkeys((20, 56, 110), 1))
    monkeypatch.setattr(overhead, "NOISE_IMAGES", dict.fromkeys((20, 56, 110), 16))
    monkeypatch.setattr(throughput, "CELLS", 2)
    monkeypatch.setattr(throughput, "EPOCHS", 1)
    monkeypatch.setattr(speedup, "IMAGES", 128)
    monkeypatch.setattr(streaming, "PICTURES", 4)
    for part in (
        "overhead-digits-20",
        "overhead-32x32-20",
        "data-path",
        "streaming",
        "ceiling",
        "start",
        "cells-per-hour",
        "speedup",
    ):
        told = json.loads(printed(as_json=True, only=part))
        assert told["figures"], part
        assert all(value > 0 for figure in told["figures"] for value in figure["values"]), part
