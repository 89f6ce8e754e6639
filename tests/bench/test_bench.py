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
from ablate.bench import data_path, overhead, run, setting, streaming
from ablate.bench.figure import Figure, Measured, Pairs, at_least, at_most, interleaved
from ablate.bench.numerics import Picked
from ablate.bench.overhead import NOISE_IMAGES
from ablate.bench.plain import Images, Plain
from ablate.cell.run import build_training
from ablate.measure.asked import needs_others
from ablate.network.build import count_parameters
from ablate.training.numerics import Numerics

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


def test_pairs_alternate_and_are_told_one_by_one() -> None:
    order: list[str] = []
    times = {"ours": iter([2.0, 3.0]), "theirs": iter([1.0, 2.0])}

    def measure(name: str) -> float:
        order.append(name)
        return next(times[name])

    steps = interleaved(lambda: measure("ours"), lambda: measure("theirs"), 2)
    assert (next(steps), order) == (Pairs([2.0], [1.0], 2), ["ours", "theirs"])
    last = next(steps)
    assert (last, order) == (Pairs([2.0, 3.0], [1.0, 2.0], 2), ["ours", "theirs", "theirs", "ours"])
    assert last.ratios == [2.0, 1.5]


@pytest.mark.parametrize(
    ("figure", "meets"),
    [
        (at_most("a", "x", [1.0, 1.1, 9.0], 3, 1.1), True),
        (at_most("a", "x", [1.0, 1.2, 1.3], 3, 1.1), False),
        (at_least("a", "x", [0.1, 2.0, 3.0], 3, 2.0), True),
        (at_least("a", "x", [1.0, 1.9, 9.0], 3, 2.0), False),
        (at_least("a", "x", [3.0, 3.0], 3, 2.0), None),
        (at_least("a", "x", [3.0, 3.0, 3.0], 3, None), None),
        (Figure("a", "images/s", [1.0], 1), None),
    ],
)
def test_the_median_of_all_repetitions_is_held_against_the_bound(figure: Figure, meets: bool | None) -> None:
    assert figure.meets is meets
    assert figure.to_dict()["meets"] is meets
    assert figure.to_dict()["finished"] is (len(figure.values) == figure.of)


def test_parts_are_chosen_by_how_their_names_begin() -> None:
    quick, all_of_them = run.parts("", everything=False), run.parts("", everything=True)
    assert set(quick) < set(all_of_them) == set(run.PARTS)
    assert run.parts("overhead-32x32", everything=False) == [f"overhead-32x32-{depth}" for depth in NOISE_IMAGES]
    with pytest.raises(InputError, match="unknown part of the bench 'sped'; did you mean 'speedup'"):
        run.parts("sped", everything=False)


FIGURES = [
    [at_most("overhead of it", "x", [1.2, 1.0, 1.02][:done], 3, 1.03), Figure("speed of it", "images/s", [812.0], 1)]
    for done in (1, 2, 3)
]


def made_up(monkeypatch: pytest.MonkeyPatch, *, fast: bool = False, error: BaseException | None = None) -> None:
    """A bench of one part, which an error ends after its second repetition."""

    def measure(setting: setting.Setting) -> Measured:
        yield from FIGURES[:2]
        if error is not None:
            raise error
        yield FIGURES[2]

    monkeypatch.setattr(run, "PARTS", {"made-up": run.Part(measure, fast=fast)})
    monkeypatch.setattr("os.getloadavg", lambda: (3.25, 0.0, 0.0))


def test_figures_are_told_with_the_machine_and_its_load(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up(monkeypatch)
    text = printed()
    assert "load average 3.2: other processes are at work here" in text
    assert text.index("2 of 3: overhead of it: 1 x\n") < text.index("3 of 3: overhead of it: 1.02 x\n")
    assert "  overhead of it: 1.02 x\n" in text
    assert "812" in text
    assert capsys.readouterr().err == ""
    told = json.loads(printed(as_json=True))
    assert "2 of 3: overhead of it: 1 x\n" in capsys.readouterr().err
    assert told["machine"]["torch"] == torch.__version__
    assert told["machine"]["load"] == 3.25
    assert (told["numerics"], told["ended_in"]) == (None, None)
    assert [(one["name"], one["median"], one["meets"]) for one in told["figures"]] == [
        ("overhead of it", 1.02, True),
        ("speed of it", 812.0, None),
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), InputError("no card"), RuntimeError("of a library")])
def test_what_was_measured_is_told_however_the_bench_ends(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up(monkeypatch, error=error)
    for as_json in (False, True):
        out = io.StringIO()
        with pytest.raises(type(error)):
            run.run_bench(Console(file=out, width=200), as_json=as_json, pairs=3)
        if as_json:
            told = json.loads(out.getvalue())
            assert told["ended_in"] == "made-up"
            assert [(one["values"], one["finished"], one["meets"]) for one in told["figures"]] == [
                ([1.2, 1.0], False, None),
                ([812.0], True, None),
            ]
        else:
            row = next(line.split() for line in out.getvalue().splitlines() if line.startswith("overhead of it  "))
            assert " ".join(row) == "overhead of it 1.1 x 1 to 1.2 2 of 3 at most 1.03"
            assert "ended in made-up; figures with fewer repetitions than asked for" in out.getvalue()


def test_fast_parts_take_what_auto_picks_and_say_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picked = Picked(Numerics("bf16", channels_last=False, compile="cudagraphs"), "measured [so]")
    taken = []

    def measure(given: setting.Setting) -> Measured:
        taken.append(setting.noise(20, 1, 128, *given.fast)["trainer"])
        yield from FIGURES

    monkeypatch.setattr(run, "PARTS", {"made-up": run.Part(measure, fast=True)})
    monkeypatch.setattr(run, "pick", lambda setting: picked)
    assert "trainer=auto picks bf16, contiguous, cudagraphs (measured [so])\n" in printed()
    assert Numerics.of(taken[0]) == picked.numerics
    told = json.loads(printed(as_json=True))
    assert told["numerics"] == {**picked.numerics.to_dict(), "why": "measured [so]"}
    monkeypatch.setattr(run, "PARTS", {"made-up": run.Part(measure)})
    assert "auto" not in printed(), "nothing is measured with it"


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
    constant = ("schedule=constant", "schedule.warmup_epochs=0")
    config = setting.digits(8, 2, "width=0.25", "augment=none", "optim.lr=0.05", *constant)
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


def nothing(given: setting.Setting) -> Measured:
    yield from ()


def test_a_package_that_is_missing_is_named_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(run.PARTS, "made-up", run.Part(nothing, quick=False, needs=("nowhere", "nowhere>=2")))
    assert "made-up" not in run.parts("", everything=False)
    for chosen in ({"only": "made", "everything": False}, {"only": "", "everything": True}):
        with pytest.raises(InputError, match=r"part made-up needs nowhere: pip install 'nowhere>=2'"):
            run.parts(**chosen)


@pytest.mark.slow
def test_every_part_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """At sizes that say nothing of speed."""
    pytest.importorskip("PIL", reason="Pillow is not installed")
    monkeypatch.setattr(setting, "SMALLEST_IMAGES", 128)
    monkeypatch.setattr(streaming, "PICTURES", 4)
    for part in (
        "overhead-digits-20",
        "overhead-32x32-20",
        "probes-20",
        "measurements-20",
        "trackers",
        "data-path",
        "streaming",
        "ceiling",
        "start",
        "cells-per-hour",
        "speedup",
    ):
        told = json.loads(printed(as_json=True, only=part, smallest=True))
        assert told["figures"], part
        assert all(value > 0 for figure in told["figures"] for value in figure["values"]), part
        assert all(figure["finished"] for figure in told["figures"]), part
        if part == "probes-20":
            probes = [entry.name for entry in registry.entries("probe")]
            assert [figure["name"].split()[4] for figure in told["figures"]] == probes
        if part == "measurements-20":
            alone = [entry.name for entry in registry.entries("measurement") if not needs_others(entry.name)]
            told_of = [figure["name"].split()[3] for figure in told["figures"]]
            assert told_of == [name for name in alone if name != "by_size"], "digits do not tell the sizes of theirs"
        if part in ("ceiling", "speedup"):
            how = str(Numerics.of(told["numerics"]))
            assert any(how in figure["name"] for figure in told["figures"]), "figures are named by it"
            assert "fp32, channels_last, eager" in told["numerics"]["why"]
