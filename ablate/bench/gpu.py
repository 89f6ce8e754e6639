"""Everything that needs a GPU, in one command that fits into a short loan of a machine (`make gpu`).

The tests marked `gpu`, the parts of the bench with fits sized by time, and the estimate of memory over the true peak.
Each part runs in a process of its own with its own limit, and a part that fails or takes too long does not stop the
others. What was measured is kept in a folder as it comes: a file for each part, `rows.json`, and `README.md` to read.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ablate.bench.memory_estimates import NETWORKS
from ablate.system.paths import PACKAGE

BENCH = {  # part -> seconds that it may take on a GPU, where a fit lasts some six and a compiler a minute
    "overhead-digits-20": 60,
    "overhead-32x32-20": 60,
    "overhead-32x32-110": 60,
    "data-path": 75,
    "ceiling": 150,
    "start": 30,
    "cells-per-hour": 120,
    "speedup": 150,
}
TEST_SECONDS = 90
MARK = re.compile(r"\bmark\.gpu\b")
GRACE_S = 10.0  # for a bench to tell what it has measured, after which it is ended
MEMORY_SECONDS = 25  # for each network
SLOWER = 8  # how much longer parts may take where there is no GPU, for which they are made as small as they go


@dataclass(frozen=True)
class Part:
    """One command.

    Attributes:
        name: of its file.
        command: that is run.
        seconds: that it may take.
    """

    name: str
    command: list[str]
    seconds: float


@dataclass(frozen=True)
class Row:
    """How a part went: `done`, `failed` with the last line that it printed, or `timed out`."""

    name: str
    status: str
    seconds: float
    file: str
    told: str = ""


def parts(device: str) -> list[Part]:
    """All parts, the most wanted first; on a CPU each of them as small as it goes."""
    smallest = not device.startswith("cuda")
    size = ["--smallest"] if smallest else []
    python = [sys.executable, "-m"]
    tests = ["pytest", "-m", "gpu", "-q", "-rs", "-p", "no:cacheprovider", *gpu_tests()]
    found = [Part("tests", [*python, *tests], TEST_SECONDS)]
    for name, seconds in BENCH.items():
        command = [*python, "ablate", "bench", "--json", "--only", name, "--pairs", "1", *size]
        found.append(Part(f"bench-{name}", command, seconds))
    for name in NETWORKS:
        file = "memory-" + "".join(letter if letter.isalnum() else "-" for letter in name.lower())
        command = [*python, "ablate.bench.memory_estimates", name, device, *(["smallest"] if smallest else [])]
        found.append(Part(file, command, MEMORY_SECONDS))
    return [Part(one.name, one.command, one.seconds * (SLOWER if smallest else 1)) for one in found]


def gpu_tests() -> list[str]:
    """The files that have tests marked `gpu`: collecting all takes long, and what others import may lack there."""
    root = PACKAGE.parent
    files = sorted((root / "tests").rglob("test_*.py"))
    return [str(file.relative_to(root)) for file in files if MARK.search(file.read_text(encoding="utf-8"))]


def run(device: str, folder: Path, only: str = "") -> list[Row]:
    """Run every part, and keep what each printed.

    Args:
        device: such as `cuda:0`, or `cpu`.
        folder: where it is kept.
        only: just the parts whose names begin so.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for part in parts(device):
        if part.name.startswith(only):
            row = _run(part, folder)
            rows.append(row)
            print(f"{row.name}: {row.status} in {row.seconds:.0f} s  {row.told}", flush=True)
            (folder / "rows.json").write_text(json.dumps([asdict(one) for one in rows], indent=2) + "\n")
            (folder / "README.md").write_text(_page(device, rows, folder))
    return rows


def _run(part: Part, folder: Path) -> Row:
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "200"}
    file, log = folder / f"{part.name}.txt", folder / f"{part.name}.log"
    started = time.monotonic()
    with file.open("w") as out, log.open("w") as errors:
        process = subprocess.Popen(
            part.command, cwd=PACKAGE.parent, env=environment, stdout=out, stderr=errors, stdin=subprocess.DEVNULL
        )
        try:
            code = process.wait(part.seconds)
            # pytest ends with 5 where no test was chosen, and with 0 where all were skipped.
            status = "done" if code == 0 else f"failed with code {code}"
        except subprocess.TimeoutExpired:
            status = f"timed out after {part.seconds:g} s"
        finally:
            _end(process)
    told = _told(part, file, log, status)
    return Row(part.name, status, time.monotonic() - started, file.name, told)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what still runs; a bench tells its figures first."""
    process.terminate()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _told(part: Part, file: Path, log: Path, status: str) -> str:
    """The figures of a part in one line, also those of one that ended early, or else the last line that it printed."""
    text = file.read_text(errors="replace")
    if not part.name.startswith("tests"):
        with suppress(ValueError):
            if found := "; ".join(_figures(json.loads(text))):
                return found
    lines = [line for line in [*text.splitlines(), *log.read_text(errors="replace").splitlines()] if line.strip()]
    return lines[-1].strip() if lines else ""


def _figures(content: dict[str, Any]) -> Iterator[str]:
    figures = content.get("figures")
    if isinstance(figures, list):
        for one in figures:
            met = {True: ", met", False: ", NOT met"}.get(one["meets"], "")
            held = f" (held to {one['bound']}{met})" if one["bound"] else ""
            yield f"{one['name']}: {one['median']:.4g} {one['unit']}{held}"
    else:
        yield f"{content['estimate']:,} bytes estimated, {content['peak']:,} taken, {content['estimate over peak']:.2f}"


def _page(device: str, rows: Sequence[Row], folder: Path) -> str:
    machine = next(
        (
            json.loads((folder / row.file).read_text())["machine"]
            for row in rows
            if row.name.startswith("bench-") and row.status == "done"
        ),
        {"device": device},
    )
    lines = ["# Figures of a GPU", "", ", ".join(f"{key} {value}" for key, value in machine.items()), ""]
    lines += ["| part | status | seconds | figures |", "| --- | --- | --- | --- |"]
    lines += [f"| {row.name} | {row.status} | {row.seconds:.0f} | {row.told.replace('|', '/')} |" for row in rows]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 where some part has failed."""
    parser = argparse.ArgumentParser(prog="python -m ablate.bench.gpu", description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda:0", help="such as cuda:0, or cpu: every part at its smallest")
    parser.add_argument("--folder", type=Path, default=Path("gpu-figures"), help="where figures are kept")
    parser.add_argument("--only", default="", metavar="NAME", help="just the parts whose names begin so")
    options = parser.parse_args(arguments)
    rows = run(options.device, options.folder.absolute(), options.only)
    return 0 if rows and all(row.status == "done" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
