"""The built-in measurements on the families of networks, and on the stored cells of a study with several."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from rich.console import Console

import ablate
from ablate import load_results, registry
from ablate.config.compose import prepare
from ablate.run.execution import run_study
from ablate.run.measure import measure_study
from tests.measure.test_probes_of_cells import NETWORKS, SMALL
from tests.plugins.measured import Given, measured, measurement
from tests.run.in_process import register_engine
from tests.studies import planned

prepare()
WITH_UNITS = {"post", "pre", "bn_after_add", "no norm", "bottleneck", "inception_resnet"}
OPTIONS: dict[str, dict[str, Any]] = {
    "lesion": {"k": [1], "swaps": [1], "draws": 2}, "path_lengths": {"draws": 2}, "ten_crop": {"pixels": 1},
    "reconstruction": {"images": 8}, "calibration": {}, "line": {"to": "other", "points": 3},
}  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with registry.isolated():
        register_engine()
        yield


def of_family(network: str) -> Given:
    config = ablate.compose(list({text.partition("=")[0]: text for text in (*SMALL, *NETWORKS[network])}.values()))
    size = int(config["image"]["size"])
    generator = torch.Generator().manual_seed(0)
    batches = [
        (torch.randn(8, 1, size, size, generator=generator), torch.randint(10, (8,), generator=generator))
        for _ in range(2)
    ]
    return Given(ablate.build_model(config), batches[:1], batches[1:])


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.slow
def test_every_measurement_takes_every_family_or_says_that_there_is_nothing(network: str) -> None:
    given = of_family(network)
    given.others = {"other": of_family(network)}
    before = {name: value.clone() for name, value in given.model.state_dict().items()}
    nothing = set()
    for name, options in OPTIONS.items():
        if measurement(name, **options).nothing_in(given):
            nothing.add(name)
            continue
        measured(name, given, **options)
        assert all(torch.equal(value, before[key]) for key, value in given.model.state_dict().items()), name
    assert nothing == (set() if network in WITH_UNITS else {"path_lengths"})
    _, rows = measured("lesion", given, **OPTIONS["lesion"])
    deleted = [row for row in rows if row["kind"] == "each" and "error" in row]
    assert deleted, "there is something that can be deleted"
    unchanged = [row for row in rows if row["kind"] == "each" and row["changes"] and "error" in row]
    assert bool(unchanged) == (network in {"post", "pre", "bn_after_add", "no norm", "bottleneck"})


@pytest.mark.slow
def test_a_stored_study_is_measured_where_there_is_something_to_measure(caplog: pytest.LogCaptureFixture) -> None:
    arms = "arms: {post: [depth=8], plain: [depth=8, shortcut=none], vgg: [depth=11, backbone=vgg]}, seeds: 1"
    tiny = ("width=0.25", "trainer.epochs=1", "data.batch_size=256", "engine=here", "study.keep=weights")
    run_study(planned(arms, *tiny), Console(quiet=True))
    text = io.StringIO()
    names = ["lesion", "path_lengths", "ten_crop", "reconstruction"]
    options = ["measurements.lesion.draws=1", "measurements.lesion.k=[1]", "engine=here"]
    measure_study(Path("runs/mine"), names, options, Console(file=text, width=400))
    assert "lesion, path_lengths, ten_crop, reconstruction: 3 cells measured" in text.getvalue()
    frame = load_results("runs/mine").set_index("arm")
    assert frame["lesion/random_1"].notna().all()
    assert frame["path_lengths/mean"].notna().to_dict() == {"post": True, "plain": False, "vgg": False}
    assert "measurement path_lengths: the network has no residual units with a shortcut, so its columns stay empty" in (
        caplog.text
    )
    for arm, (deleted, refused) in {"post": (3, 0), "plain": (4, 3), "vgg": (4, 4)}.items():
        with Path("runs/mine/cells", cast(str, frame["cell"][arm]), "measurements/lesion.csv").open() as file:
            each = [row for row in csv.DictReader(file) if row["kind"] == "each" and row["statistics"] in {"", "kept"}]
        assert (sum(bool(row["error"]) for row in each), sum(not row["error"] for row in each)) == (deleted, refused), (
            arm
        )
        assert all(row["changes"] == "1" for row in each if not row["error"])
    assert math.isfinite(frame["lesion/baseline"]["vgg"])
