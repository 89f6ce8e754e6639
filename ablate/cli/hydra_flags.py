"""Command lines with flags of Hydra's own: -m, --help, --cfg, --info, shell completion."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import hydra
import yaml
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import ChoiceSweep, Override, QuotedString, RangeSweep
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ablate.config.compose import HYDRA_VERSION_BASE, fitted, prepare
from ablate.config.fitting import for_hydra
from ablate.config.home import store_at_home
from ablate.config.messages import as_input_error
from ablate.config.overrides import parsed_sweep
from ablate.config.values import refuse_values
from ablate.errors import AblateError, InputError
from ablate.registry import store_schemas
from ablate.study.entries import entry_of
from ablate.system.paths import conf_dir

FULL_ERROR = "HYDRA_FULL_ERROR"
MOST_JOBS = 10_000
# The sweeper that runs every job, whatever they give.
ALL_OF_THEM = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
COMMANDS = {
    "run": "--run",
    "multirun": "-m",
    "cfg": "--cfg",
    "info": "--info",
    "shell_completion": "--shell-completion",
}


def through_hydra(arguments: Sequence[str], run: Callable[..., float | None]) -> None:
    """Let Hydra act on the flags, with `run` as what each of its jobs does with the job's overrides.

    What it returns is the job's value. A sweeper that chooses the next jobs by it calls it with `needs_value=True`.

    Raises:
        AblateError: a flag or an override is wrong, or a job failed; all jobs of a multirun are tried.
    """
    # argparse takes overrides only from one place; they may stand before and after the flags.
    arguments = [store_at_home(argument) for argument in arguments]
    arguments = sorted(arguments, key=lambda argument: "=" in argument and not argument.startswith("-"))
    overrides = _refuse_bad_flags(arguments)
    _refuse_many_jobs(overrides)
    # Hydra reads each dot of a name as one level: what it would refuse goes past it, to each job.
    held = [text for text in overrides if _is_dotted(text)]
    arguments = [argument for argument in arguments if argument not in held]
    prepare()
    store_schemas()
    arguments, stand_ins = for_hydra(arguments, fitted)
    process = os.getpid()
    failures: list[tuple[str, Exception]] = []

    def job(config: DictConfig) -> float | None:
        texts = [stand_ins.get(text, text) for text in HydraConfig.get().overrides.task]
        overrides = [*(text for text in texts if text), *held]
        chooses = _chooses_by_value(HydraConfig.get())
        try:
            return run(overrides, needs_value=True) if chooses else run(overrides)
        except Exception as error:
            if os.getpid() != process:
                raise  # from a launcher's own process only what is raised comes back
            failures.append((" ".join(overrides), error))
            if chooses:
                raise  # it says itself how many of its jobs may fail
            return None

    try:
        with _command_line(arguments), _one_line_errors():
            hydra.main(version_base=HYDRA_VERSION_BASE, config_path=str(conf_dir()), config_name="config")(job)()
    except Exception:
        if not failures:
            raise  # else a sweeper has given up because of them
    if failures:
        _raise_first(failures)


def _chooses_by_value(config: Any) -> bool:
    """Whether the jobs belong to a sweeper that chooses the next ones by what the last ones came to."""
    return bool(config.mode == RunMode.MULTIRUN and config.sweeper._target_ != ALL_OF_THEM)


def _refuse_bad_flags(arguments: Sequence[str]) -> list[str]:
    """Hold the flags against each other; returns the overrides beside them."""
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign]
    flags = vars(parser.parse_args(arguments))
    chosen = [name for key, name in COMMANDS.items() if flags[key]]
    if len(chosen) > 1:
        _refuse(f"{' and '.join(chosen)} exclude each other")
    if flags["resolve"] and not (flags["cfg"] or flags["help"]):
        _refuse("--resolve goes with --cfg or --help")
    return list(flags["overrides"])


def _refuse_many_jobs(overrides: Sequence[str]) -> None:
    """A multirun makes all of its jobs before the first one runs.

    Raises:
        InputError: there are more than `MOST_JOBS`, or what is swept over has no end.
    """
    counts = {}
    for text in overrides:
        override = parsed_sweep(text)
        if override.is_sweep_override():
            counts[str(override.key_or_group)] = _count(text, override)
    jobs = math.prod(counts.values())
    if jobs > MOST_JOBS:
        told = " x ".join(f"{_number(count)} values of {key}" for key, count in counts.items() if count > 1)
        raise InputError(f"{told} make {_number(jobs)} jobs; a multirun has at most {MOST_JOBS:,}")


def _is_dotted(text: str) -> bool:
    """Whether an override is an entry of a study whose name has dots, such as `study.grid.optim.lr=[0.1,0.2]`.

    Raises:
        InputError: it names several values.
    """
    override = parsed_sweep(text)
    entry = entry_of(str(override.key_or_group))
    if entry is None or not entry.is_dotted:
        return False
    if override.is_sweep_override():
        values = ",".join(f"{{{entry.name}:{value}}}" for value in ("[...]", "[...]"))
        raise InputError(f"'{text}': under -m a name with dots is typed as ++study.{entry.part}={values}")
    return True


def _count(text: str, override: Override) -> int:
    """How many values an override sweeps over; 1 where Hydra or its sweeper says so later."""
    key, sweep = str(override.key_or_group), override.value()
    if isinstance(sweep, ChoiceSweep):
        refuse_values({key: [one for one in sweep.list if not isinstance(one, QuotedString)]}, finite=False)
        return len(sweep.list)
    if not isinstance(sweep, RangeSweep):
        return 1
    start, stop, step = sweep.start or 0, sweep.stop or 0, sweep.step
    if not all(map(math.isfinite, (start, stop, step))) or step == 0:
        raise InputError(f"'{text}': a range goes from a number to another in steps other than 0")
    refuse_values({key: [start, stop, step]})
    count = math.ceil((stop - start) / step)
    if count < 1:
        raise InputError(f"'{text}' names no value: with step {step} nothing lies from {start} to below {stop}")
    return count


def _number(count: int) -> str:
    return f"{count:,}" if count < 10**15 else f"{count:.1e}"


def _refuse(message: str) -> NoReturn:
    raise InputError(f"{message}; see python -m ablate --help")


@contextmanager
def _command_line(arguments: Sequence[str]) -> Iterator[None]:
    """Hydra reads its flags from `sys.argv`, and lets errors through to us where the variable is set."""
    argv, full_error = sys.argv, os.environ.get(FULL_ERROR)
    sys.argv, os.environ[FULL_ERROR] = ["ablate", *arguments], "1"
    try:
        yield
    finally:
        sys.argv = argv
        del os.environ[FULL_ERROR]
        if full_error is not None:
            os.environ[FULL_ERROR] = full_error


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except (HydraException, OmegaConfBaseException, yaml.MarkedYAMLError) as error:
        raise as_input_error(error) from error
    except ValueError as error:
        if not str(error).startswith("Config group override"):
            raise
        raise as_input_error(error) from error
    except OSError as error:
        if error.filename is None:
            raise  # of no file: the terminal or the pipe behind it
        reason = f"cannot write to {error.filename}: {error.strerror}"
        raise InputError(f"{reason}; choose another store with runs=FOLDER") from error


def _raise_first(failures: Sequence[tuple[str, Exception]]) -> NoReturn:
    """One line for all: the first failure, and how many more there are."""
    overrides, error = failures[0]
    if not isinstance(error, AblateError):
        raise error
    more = f" (and {len(failures) - 1} more of the jobs failed)" if len(failures) > 1 else ""
    raise type(error)(f"job '{overrides}': {error}{more}") from error
