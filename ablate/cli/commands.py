"""What each verb of the command line does."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from ablate import __version__
from ablate.errors import InputError, nearest, unknown
from ablate.system.terminal import SafeConsole

# Where nothing says how wide the output is (a pipe, a log), rich takes 80 columns, which breaks tables.
CONSOLE = SafeConsole(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120)


MOST_PAIRS = 1000  # of bench: with so many it takes days
FIT_SECONDS, MOST_FIT_SECONDS = 5.0, 3600.0  # of a fit of bench: by default, and at most
FOLDER = "such as runs/preact_vs_postact, or a file in it; a name alone is looked for in runs"


def dispatch(arguments: Sequence[str]) -> None:
    """Run the verb that the arguments name, or else the study that they describe.

    Raises:
        AblateError: with the exit code that says how it ended.
    """
    if arguments and arguments[0] in ("-sc", "--shell-completion"):
        from ablate.cli.completion import shell_completion

        shell_completion(arguments[1:], tuple(VERBS))
        return
    from ablate.config.home import quote_home
    from ablate.config.overrides import quote_arms

    arguments = [quote_home(quote_arms(argument)) for argument in arguments]
    verb = arguments[0] if arguments else ""
    if verb in VERBS:
        VERBS[verb](arguments[1:])
    elif verb == "--version":
        print(f"ablate {__version__}")
    elif verb and not verb.startswith(("-", "+", "~")) and "=" not in verb:
        near = nearest(verb, VERBS)
        raise InputError(
            f"'{verb}' is neither a command nor an override; commands: {', '.join(VERBS)}"
            + (f"; did you mean '{near}'?" if near else "")
        )
    elif any(argument.startswith(("-", "hydra")) for argument in arguments):
        from ablate.cli.hydra_flags import through_hydra

        through_hydra(arguments, run_job)
    else:
        run(arguments)


def run(overrides: Sequence[str]) -> None:
    """Run the study that these overrides describe."""
    from ablate.run.execution import run_study
    from ablate.study.plan import plan_study
    from ablate.system.exits import ends_told

    with ends_told():
        run_study(plan_study(overrides), CONSOLE)


def run_job(overrides: Sequence[str], *, needs_value: bool = False) -> float | None:
    """Run the study that these overrides describe, as a job of Hydra's; returns its `study.objective`.

    Args:
        overrides: of the job.
        needs_value: a sweeper chooses its next jobs by it: a study that would have none is refused.
    """
    from ablate.run.execution import run_study
    from ablate.run.objective import objective_of
    from ablate.study.objective import refuse_empty_objective
    from ablate.study.plan import plan_study
    from ablate.system.exits import ends_told

    with ends_told():
        study = plan_study(overrides)
        if needs_value:
            refuse_empty_objective(study.objective, study.cells)
        run_study(study, CONSOLE)
        return objective_of(study)


def plan(arguments: list[str]) -> None:
    """Show what a study would train, what it costs, and what it can show, without training."""
    parser = _parser("plan", plan)
    parser.add_argument("--json", action="store_true", help="print the plan as JSON")
    parser.add_argument("overrides", nargs="*", help="as for a run, such as +exp=degradation depth=56")
    options = parser.parse_intermixed_args(arguments)
    from ablate.plan import show_plan
    from ablate.study.plan import plan_study

    show_plan(plan_study(options.overrides), CONSOLE, as_json=options.json)


def list_plugins(arguments: list[str]) -> None:
    """List plugins and experiments, or those of one KIND, with their one-line descriptions."""
    parser = _parser("list", list_plugins)
    parser.add_argument("kind", nargs="?", help="such as block, shortcut, arch, exp")
    kind = parser.parse_args(arguments).kind
    from ablate.cli.catalogue import catalogue
    from ablate.registry.kinds import FILE_GROUPS, KINDS, kind_of_key

    if kind is not None and (named := kind_of_key(kind)):
        kind = named.name  # by its key, as it is typed: `probes`

    kinds = [*KINDS, *FILE_GROUPS]
    if kind is not None and kind not in kinds:
        raise unknown("kind", kind, kinds)
    for name in [kind] if kind else kinds:
        rows = catalogue(name)
        table = Table(title=name, title_justify="left", box=None, pad_edge=False)
        columns = [column for column in rows[0] if any(row[column] for row in rows)] if rows else []
        for column in columns:
            table.add_column(column, justify="right" if column == "parameters" else "left")
        for row in rows:
            table.add_row(*(escape(row[column]) for column in columns))
        CONSOLE.print(table, "")


def describe(arguments: list[str]) -> None:
    """Show one network as a table by stage: output shape, parameters, multiply-adds, receptive field."""
    parser = _parser("describe", describe)
    parser.add_argument("overrides", nargs="*", help="such as arch=resnet50, or depth=56 order=pre width=0.5")
    from ablate.cli.describe import show

    show(parser.parse_args(arguments).overrides, CONSOLE)


def report(arguments: list[str]) -> None:
    """Rebuild verdicts and report of a study from the store."""
    parser = _parser("report", report)
    parser.add_argument("folder", type=Path, help=FOLDER)
    folder = parser.parse_args(arguments).folder
    from ablate.cli.folders import study_folder
    from ablate.run.reporting import report_study

    report_study(study_folder(folder), CONSOLE)


def measure(arguments: list[str]) -> None:
    """Take measurements on the trained networks of a stored study, on the weights that its cells have kept."""
    parser = _parser("measure", measure)
    parser.add_argument("folder", type=Path, help=FOLDER)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a measurement, see `list measurement`, or its option")
    options = parser.parse_intermixed_args(arguments)
    names = [name for name in options.names if "=" not in name]
    if not names:
        from ablate.cli.catalogue import catalogue

        known = ", ".join(row["name"] for row in catalogue("measurement"))
        raise InputError(f"name one or more measurements, such as measure {options.folder} calibration; known: {known}")
    from ablate.cli.folders import study_folder
    from ablate.run.measure import measure_study

    measure_study(study_folder(options.folder), names, [name for name in options.names if "=" in name], CONSOLE)


def upload(arguments: list[str]) -> None:
    """Mirror a stored study in trackers, whatever it ran with: each thing once, and the second time nothing."""
    parser = _parser("upload", upload)
    parser.add_argument("folder", type=Path, help=FOLDER)
    parser.add_argument("trackers", nargs="*", metavar="tracker=NAME", help="and options, as tracker.NAME.option=value")
    options = parser.parse_intermixed_args(_study_first(arguments))
    from ablate.cli.folders import study_folder
    from ablate.run.upload import upload_study

    upload_study(study_folder(options.folder), options.trackers, CONSOLE)


def dashboard(arguments: list[str]) -> None:
    """Make a study's workspace and report in wandb: curves by arm, metrics over the grid, and the verdicts."""
    parser = _parser("dashboard", dashboard)
    parser.add_argument("folder", type=Path, help=FOLDER)
    parser.add_argument(
        "options", nargs="*", metavar="tracker.wandb.project=NAME", help="or .entity: where they belong"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the specs as JSON, without network or key")
    options = parser.parse_intermixed_args(_study_first(arguments))
    from ablate.cli.folders import study_folder
    from ablate.dashboards import show_dashboard

    show_dashboard(study_folder(options.folder), options.options, CONSOLE, dry_run=options.dry_run)


def results(arguments: list[str]) -> None:
    """Run every study that has no result yet, then write RESULTS.md and its picture: all verdicts on one page."""
    parser = _parser("results", results)
    parser.add_argument("overrides", nargs="*", help="what all studies share, such as scale=tiny or engine.slots=4")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="run this study alone; repeatable")
    parser.add_argument(
        "--from", action="append", default=[], type=Path, metavar="STORE", dest="stores",
        help="results that were made elsewhere, such as runs of another machine; repeatable",
    )  # fmt: skip
    parser.add_argument("--write-only", action="store_true", help="train nothing, and write what is stored")
    parser.add_argument("--plan", action="store_true", help="train and write nothing, and say how long it would take")
    options = parser.parse_intermixed_args(arguments)
    if options.plan and options.write_only:
        raise InputError("--plan and --write-only exclude each other")
    from ablate.findings import What, show_results

    what: What = "plan" if options.plan else "write" if options.write_only else "run"
    show_results(options.overrides, CONSOLE, only=options.only, stores=options.stores, what=what)


def bench(arguments: list[str]) -> None:
    """Print this machine's figures: overhead over a bare PyTorch loop, start of a cell, cells per hour, speedup."""
    parser = _parser("bench", bench)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved pairs for each figure (default: 3)")
    parser.add_argument("--only", default="", metavar="NAME", help="just the parts whose names begin so, as overhead")
    parser.add_argument("--all", action="store_true", help="also the parts that take longer")
    parser.add_argument(
        "--fit-seconds",
        type=float,
        default=FIT_SECONDS,
        metavar="S",
        help=f"how long each fit is to last at least (default: {FIT_SECONDS:g})",
    )
    parser.add_argument("--smallest", action="store_true", help="as small as it goes, to see that all parts work")
    options = parser.parse_args(arguments)
    if not 1 <= options.pairs <= MOST_PAIRS:
        raise InputError(f"--pairs {options.pairs}: must be at least 1 and at most {MOST_PAIRS}")
    if not 0 <= options.fit_seconds <= MOST_FIT_SECONDS:
        raise InputError(f"--fit-seconds {options.fit_seconds:g}: must be at least 0 and at most {MOST_FIT_SECONDS:g}")
    from ablate.bench.run import run_bench

    run_bench(
        CONSOLE,
        as_json=options.json,
        pairs=options.pairs,
        only=options.only,
        everything=options.all,
        fit_seconds=options.fit_seconds,
        smallest=options.smallest,
    )


VERBS: dict[str, Callable[[list[str]], None]] = {
    "plan": plan,
    "list": list_plugins,
    "describe": describe,
    "report": report,
    "results": results,
    "measure": measure,
    "upload": upload,
    "dashboard": dashboard,
    "bench": bench,
}


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument as every other wrong input."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Raise instead of printing the usage."""
        raise InputError(f"{message}; see {self.prog} --help")


def _study_first(arguments: Sequence[str]) -> list[str]:
    """The arguments with overrides behind the study, where somebody typed them in front of it."""
    return sorted(arguments, key=lambda argument: argument.lstrip("+~").startswith("tracker") and "=" in argument)


def _parser(verb: str, does: Callable[[list[str]], None]) -> _Parser:
    return _Parser(prog=f"python -m ablate {verb}", description=does.__doc__, allow_abbrev=False)
