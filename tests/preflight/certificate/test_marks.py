"""Marks: more changed than declared, capacity changed too; where they appear, and what they say of a claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ablate import InputError, registry
from ablate.preflight.certificate import CAPACITY, Certificate, Evidence, load_certificates, marks, write_certificates
from ablate.preflight.certificate.certify import certify
from ablate.report import terminal_table
from ablate.report.inputs import gather

from .studies import TINY, certificate, study

SAME_SIZE = Evidence(params=(1000, 1000), flops=(5000, 5000), outputs="differ", differences={"loss": 0.5})
PLAIN = Certificate("pre", "post", {}, "key", {"order.name": ["post", "pre"]}, ["order"], [], ["order"], SAME_SIZE)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with registry.isolated():
        yield


def kinds(*certificates: Certificate) -> list[str]:
    return [mark.kind for mark in marks(certificates)]


def test_what_a_baseline_sets_and_the_arm_does_not_is_undeclared() -> None:
    found = certificate("order=post,optim.lr=0.02", "order=pre")
    assert found.factors == ["order", "optim.lr"]
    assert found.undeclared == ["optim.lr"]
    (mark,) = marks([found])
    assert (mark.kind, mark.confounds) == ("undeclared", True)
    assert mark.text == "changes more than it declares: optim.lr, against baseline baseline"


def test_a_group_brings_its_options() -> None:
    found = certificate("shortcut=identity", "shortcut=scaled")
    assert (found.factors, found.undeclared) == (["shortcut"], [])
    assert certificate("", "shortcut.pad=end").undeclared == []
    assert certificate("order=post,optim=sgd", "order=pre,optim=adamw").undeclared == []


def test_a_preset_declares_what_it_sets() -> None:
    around = ["width=0.125", "study.seeds=1", "image={size:8,channels:1,classes:10}"]
    found = certificate("arch=resnet20_cifar", "arch=preact_resnet164", around)
    assert {"depth", "order", "block"} <= set(found.factors)
    assert found.undeclared == []


def test_an_arm_without_overrides_declares_the_one_thing_that_its_baseline_sets() -> None:
    assert certificate("shortcut=none", "").undeclared == []
    assert certificate("shortcut=none,optim.lr=0.02", "").undeclared == ["shortcut", "optim.lr"]


def test_capacity_beyond_what_a_matched_control_keeps_within_is_marked() -> None:
    def sized(params: int) -> Certificate:
        return replace(PLAIN, evidence=replace(SAME_SIZE, params=(1000, params)))

    edge = round(1000 * (1 + CAPACITY))
    assert kinds(sized(edge)) == []
    assert kinds(sized(edge + 1)) == ["capacity"]
    assert kinds(sized(1000 - (edge - 1000) - 1)) == ["capacity"]
    (mark,) = marks([sized(1100)])
    assert mark.text == "changes capacity too: parameters +10 %"


def test_who_declares_width_or_depth_declares_capacity() -> None:
    assert kinds(certificate("width=0.25", "width=0.5", ["depth=8", "study.seeds=1"])) == []
    assert kinds(certificate("", "shortcut=projection_all")) == ["capacity"]


def test_outputs_that_rounding_might_explain_are_marked() -> None:
    small = replace(SAME_SIZE, differences={"loss": 5e-6})
    assert kinds(replace(PLAIN, evidence=small)) == ["rounding"]
    assert kinds(replace(PLAIN, evidence=replace(small, recipe=["optimiser"]))) == []


def test_outputs_that_could_not_be_compared_anywhere_are_marked() -> None:
    unclear = replace(SAME_SIZE, outputs="cannot tell", differences={}, note="loss not finite")
    (mark,) = marks([replace(PLAIN, evidence=unclear)])
    assert (mark.kind, mark.confounds) == ("unclear", False)
    assert "loss not finite" in mark.text


def test_certificates_come_back_from_their_file(tmp_path: Path) -> None:
    found = [PLAIN, certificate("", "shortcut=projection_all")]
    write_certificates(tmp_path, found)
    assert load_certificates(tmp_path) == found
    assert load_certificates(tmp_path / "elsewhere") == []


def test_evidence_is_taken_once_for_the_same_configs_and_code(monkeypatch: pytest.MonkeyPatch) -> None:
    first = certify(study({"a": "order=post", "b": "order=pre"}))

    def fail(*arguments: Any) -> None:
        raise AssertionError("taken again")

    monkeypatch.setattr("ablate.preflight.certificate.evidence.full_evidence", fail)
    # Other names, other seeds, another declaration: the configs are the same.
    again = certify(study({"x": "order=post", "y": "order=pre"}, (*TINY[:2], "study.seeds=[3,4]")), first)
    assert [(one.arm, one.evidence) for one in again] == [("y", first[0].evidence)]
    with pytest.raises(InputError, match="taken again"):
        certify(study({"x": "order=post", "y": "order=bn_after_add"}), first)


@pytest.fixture
def marked() -> dict[str, Any]:
    """A study whose second arm changes an undeclared factor."""
    one = replace(PLAIN, factors=["order", "optim.lr"], undeclared=["optim.lr"])
    contrast = {"post": 1.0, "pre": -1.0}
    return {
        "name": "orders", "arms": {"post": ["order=post", "optim.lr=0.02"], "pre": ["order=pre"]}, "grid": {},
        "claims": [{"id": "bet", "contrast": contrast, "metric": "test/error", "expect": "positive", "margin": 0.1}],
        "certificates": [one.to_dict()],
    }  # fmt: skip


def frame() -> Any:
    import pandas as pd

    rows = [{"cell": f"{arm}{seed}", "arm": arm, "seed": seed, "status": "done", "test/error": 0.1 + seed / 100}
            for arm in ("post", "pre") for seed in range(3)]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_claim_across_a_marked_arm_is_cautioned(marked: dict[str, Any]) -> None:
    (verdict,) = gather(marked, frame()).verdicts
    expected = (
        "Arm pre changes more than it declares: optim.lr, against baseline post: the difference may come from that."
    )
    assert expected in verdict.notes
    within = {**marked, "claims": [{**marked["claims"][0], "contrast": {"pre@depth=20": 1.0, "pre@depth=8": -1.0}}]}
    assert not any("may come from that" in note for note in gather(within, frame()).verdicts[0].notes)


def test_marks_stand_in_terminal_page_and_text(
    marked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], written: Callable[..., dict[str, str]]
) -> None:
    terminal_table(Console(width=120), marked, frame(), [])
    text = "Arm pre changes more than it declares: optim.lr, against baseline post."
    assert text in capsys.readouterr().out
    for name, content in written(marked).items():
        assert text in content, name
        assert "order, optim.lr (undeclared)" in content, name


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Writes page and text of a study, and gives what they hold."""
    from ablate.report import content
    from ablate.report.markdown import markdown
    from ablate.report.page import page

    def write(planned: dict[str, Any]) -> dict[str, str]:
        inputs = gather(planned, frame())
        sections = [part for part in content.sections(inputs) if part.title == "What was compared"]
        return {"page": page(inputs, sections, "key"), "text": markdown(inputs, sections)}

    return write
