"""Cells that start from the trained network of another cell, or from a file."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file, save_file

from ablate.errors import CellsFailed
from ablate.run.execution import run_study
from ablate.study.plan import plan_study
from tests.studies import planned

SMALL = ["scale=tiny", "width=0.1", "data.train=32", "data.test=32", "data.batch_size=16", "engine.slots=2"]
ARMS = """arms: {
  grown: {overrides: [depth=14, shortcut=none, norm=none, init=dirac, optim.lr=1e-12], starts_from: shallow},
  shallow: [depth=8, shortcut=none, norm=none]
}, seeds: 2"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(study: object) -> str:
    out = io.StringIO()
    run_study(study, Console(file=out, width=200))  # type: ignore[arg-type]
    return out.getvalue()


def metrics(cell: str, folder: str = "mine-tiny") -> dict[str, float]:
    found: dict[str, float] = json.loads(Path(f"runs/{folder}/cells/{cell}/result.json").read_text())["metrics"]
    return found


def test_a_deep_plain_net_grown_by_identities_is_the_shallow_one_and_waits_for_it() -> None:
    """At a rate of next to nothing it ends as it starts: He et al. 2015, section 1, the solution by construction."""
    study = planned(ARMS, *SMALL)
    text = run(study)
    grown, shallow = ([cell for cell in study.cells if cell.arm == arm] for arm in ("grown", "shallow"))
    for deep, source in zip(grown, shallow, strict=True):
        assert metrics(deep.id)["test/loss"] == pytest.approx(metrics(source.id)["test/loss"], rel=1e-6)
        assert metrics(deep.id)["params"] > metrics(source.id)["params"]
        log = Path(f"runs/mine-tiny/cells/{deep.id}/log.txt").read_text()
        assert f"cells/{source.id}/weights.safetensors" in log
    assert "failed" not in text
    assert "4 cells" in text


def test_where_the_source_fails_what_starts_from_it_fails_with_the_reason() -> None:
    Path("plugins").mkdir()
    Path("plugins/breaks.py").write_text(
        "from ablate import register\n\n\n"
        "@register('act', 'breaks')\n"
        "def breaks(parts):\n"
        "    '''Cannot run.'''\n"
        "    from torch import nn\n\n"
        "    class Breaks(nn.Module):\n"
        "        def forward(self, x):\n"
        "            if x.requires_grad:\n"
        "                raise RuntimeError('broken on purpose')\n"
        "            return x\n\n"
        "    return Breaks()\n",
        encoding="utf-8",
    )
    study = planned(
        "arms: {shallow: [depth=8, act=breaks], grown: {overrides: [depth=14], starts_from: shallow}}, seeds: 1", *SMALL
    )
    with pytest.raises(CellsFailed, match="2 of 2 cells failed"):
        run(study)
    grown = next(cell for cell in study.cells if cell.arm == "grown")
    reason = json.loads(Path(f"runs/mine-tiny/cells/{grown.id}/failure.json").read_text())["reason"]
    assert reason.startswith("the cell that it starts from has failed: ")


def test_a_file_gives_what_fits_and_one_of_another_network_is_refused() -> None:
    save_file({"head.linear.bias": torch.full((10,), 3.0), "other": torch.zeros(2)}, "some.safetensors")
    run(plan_study([*SMALL, "depth=8", "start=some.safetensors", "optim.lr=1e-12", "study.keep=weights"]))
    (weights,) = Path("runs").glob("single/cells/*/weights.safetensors")
    assert load_file(weights)["head.linear.bias"] == pytest.approx(torch.full((10,), 3.0))
    save_file({"other": torch.zeros(2)}, "none.safetensors")
    with pytest.raises(CellsFailed):
        run(plan_study([*SMALL, "depth=8", "start=none.safetensors"]))
    (failure,) = Path("runs").glob("single/cells/*/failure.json")
    assert "no tensor of" in failure.read_text()
