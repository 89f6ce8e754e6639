"""`ablate dashboard`: makes a study's workspace and report where its runs are, or prints their specs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ablate.config.compose import compose
from ablate.config.overrides import parse
from ablate.dashboards.account import account_of, quiet, reachable
from ablate.dashboards.board import board_of
from ablate.dashboards.for_wandb import libraries, report_of, specs, workspace_of
from ablate.errors import InputError, NotMirrored
from ablate.run.position import PLACE
from ablate.run.recovery import tidy
from ablate.study.section import container
from ablate.system.files import make_folder, read_json, write_json
from ablate.system.schema import checked

FILE = "dashboard.json"  # beside the positions of trackers: what was made, by place, so that it is made once
TRACKER = "wandb"
Made = dict[str, dict[str, dict[str, str]]]  # place -> workspace or report -> its ID and address


def show_dashboard(folder: Path, options: Sequence[str], console: Console, *, dry_run: bool = False) -> None:
    """Make a study's workspace and report in wandb, or bring those of the last time up to date.

    Args:
        folder: `runs/NAME`.
        options: of the tracker, such as `tracker.wandb.project=mine`.
        console: where the user is told, or the specs are printed.
        dry_run: print the specs as JSON; neither a network nor a key is needed.

    Raises:
        InputError: no such study or option, no key, or `wandb-workspaces` is not installed.
        NotMirrored: wandb cannot be reached, or refuses them.
    """
    asked = _asked(options)
    libraries()
    board = board_of(folder)
    for line in board.broken:  # beside the specs, which others may read from here
        print(line, file=sys.stderr)
    account = account_of(asked.get("entity") or "", asked.get("project") or "")
    if dry_run:
        made = specs(
            workspace_of(board, account.entity, account.project), report_of(board, account.entity, account.project)
        )
        console.file.write(json.dumps(made, indent=2, ensure_ascii=False) + "\n")
        return
    folder = folder.absolute()
    tidy(folder)
    account = reachable(account)
    workspace, report = (make(board, account.entity, account.project) for make in (workspace_of, report_of))
    specs(workspace, report)
    kept = _kept(folder / PLACE / FILE)
    try:
        _make(workspace, report, kept.setdefault(account.where, {}))
    finally:  # one of the two may be there by now
        make_folder(folder / PLACE)
        write_json(folder / PLACE / FILE, kept)
    for name in ("workspace", "report"):
        _say(console, f"{name}: {kept[account.where][name]['url']}")
    if not any((folder / PLACE).glob(f"{TRACKER}*")):
        _say(console, f"it shows runs once there are some: upload {folder.name} tracker={TRACKER}")


def _asked(options: Sequence[str]) -> Mapping[str, Any]:
    """The options of the tracker that keeps the runs.

    Raises:
        InputError: something else was given, or an option makes no sense.
    """
    for option in parse(options):
        is_choice = option.key == "tracker" and option.value in (TRACKER, [TRACKER])
        if not is_choice and not option.key.startswith(f"tracker.{TRACKER}."):
            raise InputError(
                f"'{option.text}': a dashboard is made in wandb, and takes options of its tracker, such as "
                f"tracker.{TRACKER}.project=NAME and tracker.{TRACKER}.entity=NAME"
            )
    chosen = [option for option in options if not option.startswith("tracker=")]
    found: Mapping[str, Any] = container(compose([f"tracker={TRACKER}", *chosen]))["tracker"][TRACKER]
    return found


def _kept(path: Path) -> Made:
    """What was made before; where that is not known, it is made anew."""
    try:
        return checked(read_json(path), Made)
    except InputError:
        return {}


def _make(workspace: Any, report: Any, kept: dict[str, dict[str, str]]) -> None:
    """Save both, and keep what wandb calls them."""
    workspace._internal_id = kept.get("workspace", {}).get("id", "")
    report.id = kept.get("report", {}).get("id", "")
    try:
        with quiet():
            workspace.save()
            kept["workspace"] = {"id": workspace._internal_id, "url": workspace.url}
            report.save()
            kept["report"] = {"id": report.id, "url": report.url}
    except Exception as error:  # of wandb, of its transport, or of what its server gave
        raise NotMirrored(f"wandb did not take it: {' '.join(str(error).split())[:300]}") from error


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
