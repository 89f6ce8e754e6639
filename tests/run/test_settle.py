"""What `trainer=auto` may pick where somebody looks into single steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from ablate import Probe, register, registry
from ablate.config.compose import prepare
from ablate.run.settle import settled
from ablate.study.plan import plan_study

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with registry.isolated():

        @register("probe", "into")
        class Into(Probe):
            """Looks into the forward pass."""

            reads_forward = True

        @register("callback", "each")
        class Each(pl.Callback):
            """Is called in each step."""

            def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
                pass

        yield


@pytest.mark.parametrize(
    ("asked", "left_out"),
    [
        ("probes=[into]", True),
        ("callbacks=[each]", True),
        ("probes=[gradient_norm]", False),
        ("callbacks=[early_stopping]", False),
    ],
)
def test_compilers_are_not_tried_where_a_step_is_looked_into(
    monkeypatch: pytest.MonkeyPatch, asked: str, left_out: bool
) -> None:
    fixed: list[dict[str, Any]] = []

    def search(config: Mapping[str, Any], given: dict[str, Any], *rest: Any) -> dict[str, Any]:
        fixed.append(given)
        return {"compile": "none", "text": "measured"}

    monkeypatch.setattr("ablate.tuning.settle._search", search)
    settled(plan_study(["depth=8", "trainer.compile=auto", asked]))
    (given,) = fixed
    assert ("compile" in given) is left_out
