"""Which study an argument means: its folder, anything inside of it, or its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.cli.folders import study_folder

Refused = Callable[..., str]


@pytest.fixture(autouse=True)
def store(here: Path) -> Path:
    """A store with two studies, of which nothing but their names is there."""
    for name in ("preact_vs_postact", "cells"):
        (here / "runs" / name / "cells" / "an_id").mkdir(parents=True)
        (here / "runs" / name / "study.yaml").write_text("")
        (here / "runs" / name / "report.html").write_text("")
    return here / "runs"


@pytest.mark.parametrize(
    "text",
    [
        "runs/preact_vs_postact",
        "runs/preact_vs_postact/",
        "runs/preact_vs_postact/report.html",
        "runs/preact_vs_postact/cells",
        "runs/preact_vs_postact/cells/an_id/log.txt",
        "runs/preact_vs_postact/study.yaml",
        "preact_vs_postact",
        "preact_vs_postact/report.html",
        "./runs/preact_vs_postact",
        "runs/../runs/preact_vs_postact",
    ],
)
def test_a_study_is_found_by_its_folder_by_what_lies_in_it_and_by_its_name(text: str, store: Path) -> None:
    for given in (Path(text), store.parent / text if text.startswith("runs") else Path(text)):
        assert study_folder(given).resolve() == store / "preact_vs_postact"


def test_a_study_may_be_called_as_a_folder_inside_of_studies(store: Path) -> None:
    assert study_folder(Path("runs/cells/cells/an_id")) == Path("runs/cells")


def test_from_inside_of_a_study_it_is_found_too(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(store / "preact_vs_postact" / "cells")
    assert study_folder(Path("an_id")).resolve() == store / "preact_vs_postact"
    assert study_folder(Path("..")).resolve() == store / "preact_vs_postact"


@pytest.mark.parametrize("verb", [["report"], ["measure"]], ids=str)
@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "preact_vs_postat",
            "no study in preact_vs_postat; did you mean runs/preact_vs_postact?; studies in runs: cells, ",
        ),
        (
            "runs/preact",
            "no study in runs/preact; did you mean runs/preact_vs_postact?; studies in runs: cells, preact",
        ),
        ("runs", "runs is a store of studies; name one of them: runs/cells, runs/preact_vs_postact"),
        ("nowhere/x", "no study in nowhere/x; studies in nowhere: none"),
        ("runs/" + "x" * 300, "no study in runs/xxx"),
        ("~nobody_of_that_name/x", "folder=~nobody_of_that_name/x: there is no user 'nobody_of_that_name' here"),
    ],
    ids=lambda text: text[:20] if isinstance(text, str) else None,
)
def test_what_names_no_study_says_which_there_are(text: str, line: str, verb: list[str], refused: Refused) -> None:
    names = ["calibration"] if verb == ["measure"] else []
    assert refused(*verb, text, *names).startswith(line)
