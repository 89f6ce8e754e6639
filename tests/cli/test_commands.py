"""The command line: verbs, help, flags of Hydra's, and how a command ends."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ablate import InputError, Job, __version__, load_results, registry
from ablate.__main__ import main
from ablate.cli import commands
from ablate.config.compose import prepare
from ablate.registry.kinds import FILE_GROUPS
from ablate.run import execution
from ablate.system.interrupts import in_order
from ablate.system.paths import PACKAGE

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

TINY = ["width=0.25", "trainer.epochs=1", "data.batch_size=500"]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory of one's own; reports take no time; what Hydra and the command set is set back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ablate.report.write_report", lambda *arguments: None)
    handler, handlers = signal.getsignal(signal.SIGTERM), list(logging.root.handlers)
    with registry.isolated():
        yield tmp_path
    logging.root.handlers[:] = handlers
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def ablate(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; gives its exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = main(list(arguments))
        except SystemExit as end:  # as argparse ends a --help
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """IDs of the cells that would be trained; nothing is."""
    started: list[str] = []

    def train(*arguments: Any, **options: Any) -> dict[str, str]:
        lists = [argument for argument in arguments if isinstance(argument, list)]
        started.extend(job.id for jobs in lists for job in jobs if isinstance(job, Job))
        return {}

    monkeypatch.setattr(execution, "_train", train)
    return started


def one_line(err: str) -> str:
    assert err.startswith("ablate: ")
    assert err.count("\n") == 1, err
    return err.removeprefix("ablate: ").rstrip("\n")


def test_without_arguments_one_default_cell_is_run(ablate: Run, jobs: list[str]) -> None:
    code, out, err = ablate()
    assert (code, err) == (0, "")
    assert [job.rpartition("-")[0] for job in jobs] == ["resnet20-basic-post-identity-s0"]
    assert "report: " in out.replace("\n", "")
    assert load_results("runs/single")["status"].tolist() == ["pending"]


def test_a_study_is_planned_without_training_or_writing(ablate: Run, jobs: list[str], here: Path) -> None:
    code, out, err = ablate("plan", "+exp=preact_vs_postact", "study.seeds=2")
    assert (code, err, jobs, list(here.iterdir())) == (0, "", [], [])
    assert "preact_vs_postact" in out
    assert "20 cells, 0 stored already; 2 seeds" in out
    gate = "training error of post at depth 110 below 10 %: pre_beats_post_when_deep"
    assert gate in " ".join(out.split())
    told = "fewer than 8 paired seeds: an exact sign-flip test cannot reach 0.05 after Holm over 4 claims"
    assert told in " ".join(out.split())
    assert len([line for line in out.splitlines() if "order=p" in line]) == 10


def test_the_built_in_studies_plan_at_the_papers_scale_without_its_data(ablate: Run, jobs: list[str]) -> None:
    code, out, err = ablate("plan", "+exp=degradation", "scale=paper", "depth=20")
    assert (code, err, jobs) == (0, "", [])
    assert "269,722" in out
    assert "10 cells, 0 stored already; 5 seeds" in out


def test_everything_there_is_is_listed_with_its_description(ablate: Run) -> None:
    code, out, err = ablate("list")
    assert (code, err) == (0, "")
    lines = [line.strip() for line in out.splitlines()]
    assert [line for line in lines if line in (*registry.KINDS, *FILE_GROUPS)] == [*registry.KINDS, *FILE_GROUPS]
    assert {entry.name for entry in registry.entries()} <= {line.split()[0] for line in lines if line}


def test_one_kind_is_listed_with_its_options(ablate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands.CONSOLE, "width", 200)

    @registry.register("act", "mine")
    def mine(parts: Any, *, slope: float, flag: bool = True, limit: int | None = None) -> None:
        """A line [of brackets].

        And more.
        """

    code, out, _ = ablate("list", "act")
    assert code == 0
    (line,) = [line for line in out.splitlines() if line.startswith("mine")]
    assert line.split(maxsplit=1)[1].split("  ")[0] == "A line [of brackets]."
    assert line.rstrip().endswith("slope=... flag=true limit=null")
    assert "bias=none|" in ablate("list", "block")[1]


def test_a_description_of_several_lines_is_listed_to_the_end_of_its_first_sentence(
    ablate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands.CONSOLE, "width", 300)
    lines = {
        line.split()[0]: line.split(maxsplit=1)[1].strip() for line in ablate("list", "scale")[1].splitlines()[2:5]
    }
    assert lines["paper"].startswith(
        "CIFAR-10 as in He et al. 2015 (arXiv 1512.03385), section 4.2, and He et al. 2016 "
    )
    assert lines["paper"].endswith("appendix.")
    assert lines["quick"].endswith("six epochs with a warm-up.")


def test_experiments_of_the_working_directory_are_listed(ablate: Run) -> None:
    Path("conf/exp").mkdir(parents=True)
    Path("conf/exp/mine.yaml").write_text('# @package _global_\nstudy: {name: mine, question: "Does it matter?"}\n')
    Path("conf/exp/other.yaml").write_text("# @package _global_\n# What it is for.\nstudy: {name: other}\n")
    _, out, _ = ablate("list", "exp")
    assert "Do deeper plain networks train worse" in out
    assert [line.split(maxsplit=1)[1].strip() for line in out.splitlines() if line.startswith(("mine", "other"))] == [
        "Does it matter?",
        "What it is for.",
    ]
    Path("conf/exp/mine.yaml").write_text("study: [")
    code, _, err = ablate("list", "exp")
    assert code == 2
    assert f"{Path('conf/exp/mine.yaml').resolve()} line 1 is broken YAML" in one_line(err)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["lst"], "'lst' is neither a command nor an override; commands: plan, list, "),
        (["depth"], "'depth' is neither a command nor an override"),
        (["depth=8", "plan"], "cannot read 'plan': an override has the form key=value"),
        (["list", "blokc"], "unknown kind 'blokc'; did you mean 'block'?; known: act, arch, "),
        (["list", "block", "order"], "unrecognized arguments: order; see python -m ablate list --help"),
        (["plan", "--fast"], "unrecognized arguments: --fast; see python -m ablate plan --help"),
        (["report"], "the following arguments are required: folder; see python -m ablate report --help"),
        (["report", "runs/nope"], "no study in runs/nope; studies in runs: none"),
        (["--fast"], "unrecognized arguments: --fast; see python -m ablate --help"),
        (["--cfg"], "argument --cfg/-c: expected one argument; see python -m ablate --help"),
        (["--cfg=job", "--info"], "--cfg and --info exclude each other"),
        (["--resolve"], "--resolve goes with --cfg or --help"),
        (["-m", "seed=0,1", "plan"], "cannot read 'plan': an override has the form key=value"),
        (["-m", "shortcut=projecton,none"], "unknown shortcut 'projecton'; did you mean 'projection'?"),
        (["-m", "arch=null,resnet20_cifar"], "a group is chosen by a name; where it is not to be chosen (null), leave"),
        (["-m", "dept=8,14"], "unknown key 'dept'; did you mean 'depth'?"),
        (["hydra.foo=3"], "unknown key 'hydra.foo'; known: "),
        (["depth=21"], "depth 21 does not exist: with block basic and layout cifar a network has 6n + 2 layers; neare"),
        (["runs=file/below"], "cannot write to "),
        (
            ["-m", "seed=0,1", "runs=file/below"],
            "cannot write to file/below/.multirun: Not a directory; choose another",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments: list[str], line: str, ablate: Run, jobs: list[str]) -> None:
    Path("file").write_text("")
    code, out, err = ablate(*arguments)
    assert (code, out, jobs) == (2, "", [])
    assert one_line(err).startswith(line)
    assert {path.name for path in Path().glob("*/*")} <= {".multirun"}, "what Hydra notes of a sweep, and nothing else"


@pytest.mark.slow
def test_help_says_what_can_be_typed_and_shows_the_options_of_a_choice(ablate: Run) -> None:
    code, out, err = ablate("shortcut=projection", "--help")
    assert (code, err) == (0, "")
    for usage in ("+exp=NAME", "-m key=a,b", *(f"python -m ablate {verb}" for verb in commands.VERBS)):
        assert usage in out
    assert "order: bn_after_add, post, pre" in out
    assert "exp: activation_order, activations, " in out
    assert "shortcut:\n  name: projection\n  norm: null\n  bias: false\n" in out


def test_a_part_of_the_config_is_shown(ablate: Run) -> None:
    assert ablate("--cfg", "job", "--package", "shortcut", "shortcut=none")[1] == "# @package shortcut\nname: none\n"


@pytest.mark.parametrize("verb", commands.VERBS)
def test_each_verb_has_help(verb: str, ablate: Run) -> None:
    code, out, err = ablate(verb, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: python -m ablate {verb}")
    assert " ".join(commands.VERBS[verb].__doc__.split()) in " ".join(out.split())  # type: ignore[union-attr]


def test_an_interrupted_command_says_how_to_go_on(ablate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: Any) -> None:
        with in_order():
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(commands, "run", interrupt)
    code, _, err = ablate("depth=8")
    assert (code, one_line(err)) == (130, "interrupted; the same command goes on from here")


def test_a_multirun_lands_in_one_store(ablate: Run, here: Path) -> None:
    code, out, err = ablate(*TINY, "-m", "depth=8,14", "order=post,pre", "seed=0,1")
    assert (code, err) == (0, "")
    assert [line.strip() for line in out.splitlines() if line.startswith("\t#")][-1].startswith("#7 : ")
    frame = load_results("runs/single")
    assert frame["status"].tolist() == ["done"] * 8
    found = frame[["depth", "order", "seed"]].itertuples(index=False, name=None)
    assert set(found) == {(depth, order, seed) for depth in (8, 14) for order in ("post", "pre") for seed in (0, 1)}
    assert sorted(path.name for path in here.iterdir()) == ["runs"], "Hydra leaves nothing outside the store"
    assert not list(here.rglob("*.log"))


def test_jobs_of_a_multirun_that_fail_are_one_line_and_the_others_run(ablate: Run, jobs: list[str]) -> None:
    code, _, err = ablate("-m", "depth=8,21,22", "seed=0")
    assert code == 2
    line = one_line(err)
    assert line.startswith("job 'depth=21 seed=0': depth 21 does not exist")
    assert line.endswith("(and 1 more of the jobs failed)")
    assert len(jobs) == 1


def test_a_defect_in_a_job_is_not_taken_for_wrong_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr(commands, "run_job", fail)
    with pytest.raises(ValueError, match="a defect"):
        main(["-m", "seed=0"])


@pytest.mark.slow
def test_studies_of_a_multirun_are_studies(ablate: Run, jobs: list[str]) -> None:
    code, _, err = ablate("-m", "+exp=preact_vs_postact,degradation", "depth=8", "study.seeds=1")
    assert (code, err, len(jobs)) == (0, "", 8)
    assert sorted(path.parent.name for path in Path("runs").glob("*/study.yaml")) == [
        "degradation",
        "preact_vs_postact",
    ]


def outside(*command: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    path = os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_module_and_the_console_script_are_one_program() -> None:
    script = "import sys; sys.argv[0] = 'ablate'; from ablate.__main__ import cli; cli()"
    for command in (["-m", "ablate"], ["-c", script]):
        done = outside(sys.executable, *command, "--version")
        assert (done.returncode, done.stdout, done.stderr) == (0, f"ablate {__version__}\n", "")


@pytest.mark.slow
def test_a_launcher_of_hydras_runs_the_jobs_in_its_own_processes() -> None:
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "engine.slots=1"]
    done = outside(sys.executable, "-m", "ablate", *TINY, *launcher, "-m", "depth=8,14,21", "seed=0")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("ablate: depth 21 does not exist")
    assert load_results("runs/single")["status"].tolist() == ["done", "done"]


def test_errors_of_a_job_keep_their_kind() -> None:
    """The exit code of a multirun is that of its first failed job."""
    from ablate.cli.hydra_flags import _raise_first
    from ablate.errors import CellsFailed

    with pytest.raises(CellsFailed, match="job 'depth=8': 1 of 2 cells failed"):
        _raise_first([("depth=8", CellsFailed("1 of 2 cells failed")), ("depth=9", InputError("no"))])
