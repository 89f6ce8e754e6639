"""`ablate results`: runs every study that has no result yet, then writes the page of all verdicts."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console

from ablate.config.compose import compose, prepare
from ablate.config.files import config_names
from ablate.config.overrides import parse
from ablate.config.roles import is_comparable
from ablate.errors import CellsFailed, ClaimsNotSupported, InputError, unknown
from ablate.findings.ahead import tell_ahead
from ablate.findings.document import PICTURE, document
from ablate.findings.errata import errata
from ablate.findings.picture import overview
from ablate.findings.stored import Stored, stored_studies
from ablate.report import format as fmt
from ablate.run.execution import run_study
from ablate.study.plan import plan_study
from ablate.system.files import write_text

PAGE = "RESULTS.md"
What = Literal["run", "write", "plan"]


def show_results(
    overrides: Sequence[str],
    console: Console,
    *,
    only: Sequence[str] = (),
    stores: Sequence[Path] = (),
    what: What = "run",
) -> None:
    """Run the studies of `conf/exp`, then write `RESULTS.md` and its picture into the working directory.

    A study that cannot be run, or whose cells fail, does not keep the others from being run.

    Args:
        overrides: that all studies share and none of them compares, such as `scale=tiny` or `engine.slots=4`.
        console: where the user is told.
        only: names of the studies to run; none: all. The page has all that are stored.
        stores: of results that were made elsewhere, which the page has too.
        what: "run" trains what is missing; "write" makes the page alone, from what is stored; "plan" does neither, and
            says how long it would take.

    Raises:
        InputError: there is no such study or store, or an override would change what a study compares.
        CellsFailed: some studies have cells that failed, or could not be run.
        ClaimsNotSupported: `study.strict=true`, and some claim has another verdict than `supported`.
    """
    prepare()
    names = sorted(config_names("exp"))
    for name in only:
        if name not in names:
            raise unknown("study", name, names)
    _refuse_comparable(overrides)
    for store in stores:
        if not any(store.glob("*/verdicts.json")):
            raise InputError(f"--from {store}: no study with verdicts lies there; it is to be a store, such as runs")
    config = compose(overrides)
    wanted = list(dict.fromkeys(only)) or names
    if what == "plan":
        tell_ahead(wanted, overrides, console)
        return
    failures, wanting = _run(wanted, overrides, console) if what == "run" else ({}, {})
    here = stored_studies(Path(config.runs), names)
    elsewhere = [one for store in stores for one in stored_studies(store, names, elsewhere=True)]
    _write(names, here, elsewhere, str(config.scale), _command(overrides, stores))
    console.print(f"results: {PAGE} and {PICTURE}", highlight=False)
    if failures:
        raise CellsFailed(f"{fmt.plural(len(failures), 'study')} without all results: {_told(failures)}")
    if wanting:
        raise ClaimsNotSupported(_told(wanting))


def _told(reasons: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items())


def _refuse_comparable(overrides: Sequence[str]) -> None:
    for override in parse(overrides):
        if override.key == "exp" or is_comparable(override.key):
            raise InputError(
                f"'{override.text}': results runs the studies as they stand, and takes what none of them compares, "
                "such as scale=tiny, study.seeds=2 or engine.slots=4; --only NAME chooses studies"
            )


def _run(names: Sequence[str], overrides: Sequence[str], console: Console) -> tuple[dict[str, str], dict[str, str]]:
    """Run the studies one after the other; why some are not complete, and what `study.strict` wants of others."""
    failures: dict[str, str] = {}
    wanting: dict[str, str] = {}
    for number, name in enumerate(names, 1):
        started = time.monotonic()
        console.print(f"[{number} of {len(names)}] {name}", style="bold", highlight=False, markup=False)
        try:
            run_study(plan_study([f"+exp={name}", *overrides]), console)
        except ClaimsNotSupported as error:  # told at the end: the page has the verdicts of all studies
            wanting[name] = str(error)
        except (CellsFailed, InputError) as error:
            failures[name] = str(error)
            console.print(f"{name}: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        console.print(f"{name}: {fmt.duration(time.monotonic() - started)}", "", highlight=False, markup=False)
    return failures, wanting


def _write(names: Sequence[str], here: Sequence[Stored], elsewhere: Sequence[Stored], scale: str, command: str) -> None:
    at_scale = [one for one in here if one.scale == scale]
    others = [one for one in here if one.scale != scale] + list(elsewhere)
    missing = [name for name in names if name not in {one.name for one in at_scale}]
    write_text(Path(PICTURE), overview(at_scale).svg)
    write_text(Path(PAGE), document(at_scale, others, missing, errata(), command))


def _command(overrides: Sequence[str], stores: Sequence[Path]) -> str:
    return shlex.join(
        [
            "python",
            "-m",
            "ablate",
            "results",
            *overrides,
            *(part for store in stores for part in ("--from", str(store))),
        ]
    )
