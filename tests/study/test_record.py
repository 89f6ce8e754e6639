"""What `study.yaml` keeps of a study, and what earlier versions kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ablate import InputError
from ablate.network.profile import Profile
from ablate.run.results import load_study
from ablate.study.plan import Study, plan_study
from ablate.study.record import VERSION, CellRecord, StudyRecord
from ablate.system.reading import BrokenFile
from tests.cells import TINY

OLD = Path(__file__).resolve().parents[1] / "stored" / "version_0_1" / "orders" / "study.yaml"
CLAIM = "+study.claims=[{id: c, contrast: {post: 1, pre: -1}, expect: positive, margin: 0.1}]"


@pytest.fixture
def study() -> Study:
    arms = ["+study.arms.post=['order=post']", "+study.arms.pre=['order=pre']", "study.name=orders", "study.seeds=2"]
    around = [text for text in TINY if text != "depth=8"]
    return plan_study([*around, *arms, "+study.grid.depth=[8,14]", CLAIM])


def record_of(study: Study) -> StudyRecord:
    return StudyRecord.of(study, study.cells, {cell.id: Profile(10, 20) for cell in study.cells[:4]})


def test_a_record_is_read_as_it_was_written(study: Study) -> None:
    record = record_of(study)
    text = yaml.safe_dump(record.to_dict(), sort_keys=False)
    assert StudyRecord.read(yaml.safe_load(text)) == record
    assert text.startswith(f"version: {VERSION}\nname: orders\n")
    assert list(record.to_dict())[-1] == "cells"


def test_it_holds_what_was_planned(study: Study) -> None:
    record = record_of(study)
    assert [(cell.id, cell.arm, cell.factors, cell.seed, cell.code) for cell in record.cells] == [
        (cell.id, cell.arm, cell.factors, cell.seed, cell.code) for cell in study.cells
    ]
    assert [cell.static for cell in record.cells] == [{"params": 10, "flops": 20}] * 4 + [{}] * 4
    assert [cell.earlier for cell in record.cells] == [cell.earlier for cell in study.cells]
    assert (record.grid, record.seeds, record.varied) == ({"depth": [8, 14]}, [0, 1], ["depth", "order"])
    assert record.claims[0]["contrast"] == {"post": 1.0, "pre": -1.0}
    assert record.command.startswith("python -m ablate augment=shift ")
    assert " width=0.25 trainer.epochs=2 " in record.command


def test_its_settings_are_what_all_cells_share_and_nothing_varies(study: Study) -> None:
    settings = record_of(study).settings
    assert (settings["width"], settings["trainer.epochs"], settings["optim.lr"]) == (0.25, 2, 0.1)
    assert {key.partition(".")[0] for key in settings} & {"depth", "order", "engine", "runs", "study"} == set()
    assert settings.get("seed", 0) == 0


def test_other_cells_bring_their_seeds(study: Study) -> None:
    record = record_of(study)
    fewer = record.with_cells(cell for cell in record.cells if cell.seed == 1)
    assert (len(fewer.cells), fewer.seeds) == (4, [1])


def test_the_form_of_version_0_1_is_read() -> None:
    assert "version" not in yaml.safe_load(OLD.read_text())
    record = load_study(OLD.parent)
    assert (record.name, record.version, record.seeds) == ("orders", VERSION, [0, 1])
    assert list(record.arms) == ["post", "pre"]
    assert record.grid == {"depth": [8, 14]}
    assert len(record.cells) == 8
    assert (record.settings, record.varied) == ({}, [])
    assert all(cell.code and cell.earlier == () for cell in record.cells)
    assert all(set(cell.static) == {"params", "flops"} for cell in record.cells), "it knew no more then"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"version": VERSION + 1},
            f"it was written by a newer version of ablate (form {VERSION + 1}, known: {VERSION})",
        ),
        ({"claims": None}, "it has no claims"),
        ({"cells": [3]}, "cells[0] must be a mapping and is a whole number"),
        ({"cells": [{"id": "a", "arm": "post"}]}, "cells[0] has no factors"),
    ],
)
def test_what_is_no_record_is_refused(change: dict[str, Any], reason: str, study: Study) -> None:
    with pytest.raises(InputError) as error:
        StudyRecord.read({**record_of(study).to_dict(), **change})
    assert str(error.value) == reason


def test_a_file_of_a_newer_version_is_named(tmp_path: Path, study: Study) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump({**record_of(study).to_dict(), "version": 99}))
    line = rf"^cannot read {file}: it was written by a newer version of ablate \(form 99"
    with pytest.raises(InputError, match=line) as error:
        load_study(tmp_path)
    assert not isinstance(error.value, BrokenFile), "nothing may set it aside"


def test_what_a_later_form_adds_within_a_version_is_left_out(study: Study) -> None:
    record = record_of(study)
    plain = record.to_dict()
    plain = {**plain, "colour": "red", "cells": [{**cell, "colour": "red"} for cell in plain["cells"]]}
    assert StudyRecord.read(plain) == record


def test_a_cell_says_nothing_of_what_it_does_not_know() -> None:
    record = StudyRecord("one", [CellRecord("a", "arm", {}, 0)], [])
    assert record.to_dict()["cells"] == [{"id": "a", "arm": "arm", "factors": {}, "seed": 0, "code": ""}]
