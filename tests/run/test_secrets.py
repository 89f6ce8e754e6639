"""Secrets of the environment, and hostile names, on the way from a run to every tracker and its dashboard."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from ablate.run.results import load_study
from ablate.system.paths import PACKAGE
from tests.wandb_server import settings_in

TRACKERS = ["jsonl", "wandb", *(name for name in ("mlflow", "tensorboard") if find_spec(name))]
# As their owners look for them; each value is found in a file whatever stands around it.
SECRETS = {
    name: f"hunter2-{place:04d}-{name.lower()}"
    for place, name in enumerate((
        "WANDB_IDENTITY_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
        "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD", "GITHUB_TOKEN", "OPENAI_API_KEY", "KAGGLE_KEY",
        "AZURE_STORAGE_CONNECTION_STRING", "DATABASE_PASSWORD", "SOME_PRIVATE_VALUE",
    ))
}  # fmt: skip
KEY = "5ec12e7" * 5 + "hidde"  # of wandb: 40 characters
PASSWORD = "hunter2-of-the-proxy"
Ablate = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ablate(here: Path) -> Ablate:
    """Run a command beside these secrets."""
    path = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB", "MLFLOW"))}
    hidden = {**SECRETS, "WANDB_API_KEY": KEY, "HTTPS_PROXY": f"http://me:{PASSWORD}@127.0.0.1:9"}
    environment = {**plain, **hidden, **settings_in(here.parent / "settings"), "WANDB_MODE": "offline"}

    def run(*arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ablate", *arguments]
        environ = {**environment, "PYTHONPATH": path, **given}
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)

    return run


def leaks(*texts: str) -> list[str]:
    """Where a secret stands: in these texts, or in any file of the working directory."""
    values = [value.encode() for value in (*SECRETS.values(), KEY, PASSWORD)]
    files = [path for path in Path().rglob("*") if path.is_file()]
    assert any(path.name == "result.json" for path in files)
    contents = {str(path): path.read_bytes() for path in files} | {text[:40]: text.encode() for text in texts}
    return [f"{value!r} in {name}" for name, content in contents.items() for value in values if value in content]


TINY = ["depth=8", "width=0.25", "trainer.epochs=1", "data.batch_size=500"]


@pytest.mark.slow
def test_no_secret_of_the_environment_is_in_any_file_or_on_the_terminal(ablate: Ablate) -> None:
    said = [ablate("-m", "seed=0,1", *TINY, f"tracker=[{','.join(TRACKERS)}]")]
    said.append(ablate("upload", "single", "tracker=jsonl", "tracker.jsonl.file=again.jsonl"))
    said.append(ablate("report", "single"))
    assert [(one.returncode, one.stderr) for one in said] == [(0, "")] * 3
    for name in TRACKERS:
        assert any(Path("runs/single/trackers").glob(f"{name}*.json")), f"{name} was told nothing"
    assert leaks(*(one.stdout for one in said)) == []


@pytest.mark.slow
def test_nor_where_a_cell_fails_and_its_log_and_its_reason_are_kept(ablate: Ablate, here: Path) -> None:
    (here / "plugins").mkdir()
    (here / "plugins" / "broken.py").write_text(
        "from ablate import register\n\n\n"
        '@register("callback", "broken")\n'
        "def broken() -> object:\n"
        '    """Ends the second cell."""\n'
        "    import pytorch_lightning as pl\n\n"
        "    class Broken(pl.Callback):\n"
        "        def on_train_epoch_end(self, trainer, module):\n"
        "            raise RuntimeError('no more')\n\n"
        "    return Broken()\n"
    )
    assert ablate(*TINY).returncode == 0
    tracked = f"tracker=[{','.join(TRACKERS)}]"
    done = ablate(*TINY, "callbacks=[broken]", "engine.retries=0", tracked, HYDRA_FULL_ERROR="1")
    assert done.returncode == 1, done.stderr
    assert any(Path().rglob("failure.json"))
    assert leaks(done.stdout, done.stderr) == []


NAME = "\"><b>x<i> 'y' {z} 🙂 $(id) `id` %s"
ARMS = ["<script>alert(1)</script>", 'it\'s "quoted" 🙂', "x" * 100]


@pytest.mark.slow
def test_hostile_names_are_text_in_a_run_an_upload_and_a_dashboard(ablate: Ablate) -> None:
    Path("conf/exp").mkdir(parents=True)
    arms = dict(zip(ARMS, (["order=post"], ["order=pre"], ["shortcut=projection"]), strict=True))
    section = {"name": NAME, "question": NAME, "arms": arms, "seeds": 1}
    Path("conf/exp/mine.yaml").write_text("# @package _global_\n" + yaml.safe_dump({"study": section}))
    done = ablate("+exp=mine", *TINY, "tracker=jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    folder = Path("runs", NAME)
    assert {cell.arm for cell in load_study(folder).cells} == set(ARMS)
    told = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert {event["arm"] for event in told if event["event"] == "ended"} == set(ARMS)
    for name in TRACKERS[1:]:
        done = ablate("upload", str(folder), f"tracker={name}")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{name} was told of {NAME}: 3 cells, 3 rows, the plan, the verdicts\n" in done.stdout
        assert f"nothing to upload: {name}" in ablate("upload", str(folder), f"tracker={name}").stdout
    if find_spec("wandb_workspaces"):
        done = ablate("dashboard", str(folder), "--dry-run")
        assert (done.returncode, done.stderr) == (0, "")
        made = json.loads(done.stdout)
        assert made["report"]["description"] == NAME
        assert len(made["workspace"]["spec"]["section"]["customRunColors"]) == len(ARMS)
