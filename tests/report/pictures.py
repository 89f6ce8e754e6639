"""The pictures of docs/verdicts.md, from studies that are run for them: `python -m tests.report.pictures`.

Some minutes on two cores; needs Chromium. Each picture is the top of a page that the commands beside it leave behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
STUDY = """# @package _global_
study:
  name: {name}
  question: Does pre-activation end with another training loss at depth {depth}?
  arms: {{post: [order=post], pre: [order=pre]}}
  claims:
    - id: pre_ends_lower
      says: Pre-activation ends with a lower training loss.
      metric: train/loss
      contrast: {{post: 1, pre: -1}}
      expect: positive
      margin: {margin}
      requires:
        - {{cells: "*", metric: train/error, below: 0.1}}
"""


def command(folder: Path, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "ablate", *arguments], cwd=folder, env=environment, check=True)


def state(folder: Path, name: str, depth: int, margin: float) -> None:
    """Write the study's file."""
    file = folder / "conf" / "exp" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(STUDY.format(name=name, depth=depth, margin=margin), encoding="utf-8")


def gate(folder: Path, name: str) -> None:
    """110 layers without a warm-up, at ten times the rate: v1 does not train, so its end is not compared."""
    state(folder, name, 110, 0.01)
    command(folder, f"+exp={name}", "depth=110", "schedule.warmup_epochs=0", "optim.lr=0.5")


def margin(folder: Path, name: str) -> None:
    """The margin is made smaller when the results are known."""
    state(folder, name, 20, 0.05)
    command(folder, f"+exp={name}", "depth=20")
    state(folder, name, 20, 0.001)
    command(folder, f"+exp={name}", "depth=20")


def peeking(folder: Path, name: str) -> None:
    """Seeds are added by hand, twice."""
    state(folder, name, 20, 0.001)
    for seeds in (6, 9, 12):
        command(folder, f"+exp={name}", "depth=20", f"study.seeds={seeds}")


def picture(page: Path, file: Path, height: int) -> None:
    """The top of a page, 1,160 pixels wide."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("no Chromium here")
    with tempfile.TemporaryDirectory() as profile:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        shot = [f"--window-size=1160,{height}", f"--screenshot={file}", page.as_uri()]
        subprocess.run([browser, *flags, *quiet, *shot], check=True, capture_output=True)


def main() -> None:
    """Run the studies and take the pictures."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for make, height in ((gate, 560), (margin, 640), (peeking, 660)):
            name = make.__name__
            make(folder, name)
            picture(folder / "runs" / name / "report.html", DOCS / f"verdict_{name}.png", height)


if __name__ == "__main__":
    main()
