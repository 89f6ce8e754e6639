"""A kind of plugin is declared once: schema, default, lists, help, certificates and identity follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from torch import Tensor, nn

from ablate import InputError, Parts, build_model, compose, register, registry
from ablate.__main__ import main
from ablate.config.compose import prepare
from ablate.preflight.certificate.certify import certify
from ablate.registry.kinds import Kind, declare
from ablate.registry.roles import Role
from ablate.study.plan import plan_study

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

Run = Callable[..., str]
BEFORE = plan_study(["depth=8", "width=0.25"]).cells[0].id


@pytest.fixture(autouse=True)
def blur(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The ten lines: a kind of its own, two plugins of it, and an activation that asks for it."""
    monkeypatch.chdir(tmp_path)
    with registry.isolated():
        declare(Kind("blur", "what softens maps", Role.NETWORK, default="none", passed=("parts",), before="none"))

        @register("blur", "none")
        def none() -> nn.Module:
            """The maps as they are."""
            return nn.Identity()

        @register("blur", "mean")
        def mean(*, size: int = 3) -> nn.Module:
            """The mean of a window."""
            return nn.AvgPool2d(size, stride=1, padding=size // 2)

        @register("act", "blurred")
        class Blurred(nn.Module):
            """A rectifier on softened maps."""

            def __init__(self, parts: Parts) -> None:
                super().__init__()
                self.blur = parts.make("blur")

            def forward(self, x: Tensor) -> Tensor:
                rectified: Tensor = self.blur(x).relu()
                return rectified

        yield


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Run:
    """What a command prints."""

    def run(*arguments: str) -> str:
        assert main(list(arguments)) == 0
        return capsys.readouterr().out

    return run


def test_its_default_and_its_schema_are_part_of_every_config() -> None:
    assert compose().blur == {"name": "none"}
    assert compose(["blur=mean", "blur.size=5"]).blur == {"name": "mean", "size": 5}
    with pytest.raises(InputError, match=r"unknown blur 'meen'; did you mean 'mean'\?"):
        compose(["blur=meen"])
    with pytest.raises(InputError, match=r"unknown key 'blur\.sise'; did you mean 'blur\.size'"):
        compose(["blur=mean", "blur.sise=5"])


def test_lists_and_help_show_it(told: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert "The mean of a window." in told("list", "blur")
    assert "blur" in [line.strip() for line in told("list").splitlines()]
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "blur: mean, none" in capsys.readouterr().out


def test_a_network_gets_it_and_only_one_that_asks_for_it() -> None:
    network = build_model(compose(["depth=8", "width=0.25", "act=blurred", "blur=mean"]))
    assert any(isinstance(module, nn.AvgPool2d) for module in network.modules())
    assert main(["plan", "depth=8", "width=0.25", "blur=mean"]) == 2, "no network asks for it: refused"


def test_an_id_is_the_one_it_was_unless_another_choice_is_made() -> None:
    (after,) = plan_study(["depth=8", "width=0.25"]).cells
    (other,) = plan_study(["depth=8", "width=0.25", "act=blurred", "blur=mean"]).cells
    (plain,) = plan_study(["depth=8", "width=0.25", "act=blurred"]).cells
    assert after.id == BEFORE
    assert len({after.id, other.id, plain.id}) == 3
    assert other.code != plain.code or other.id != plain.id


def test_a_certificate_tells_it() -> None:
    arms = ["+study.arms.sharp=['act=blurred']", "+study.arms.soft=['act=blurred','blur=mean']", "study.seeds=1"]
    (certificate,) = certify(plan_study(["depth=8", "width=0.25", *arms]))
    assert certificate.factors == ["blur"]
    assert certificate.undeclared == []
    assert certificate.evidence.outputs == "differ"


def test_a_kind_is_declared_once() -> None:
    with pytest.raises(ValueError, match="declared already"):
        declare(Kind("blur", "again", Role.NETWORK))
    with pytest.raises(ValueError, match="declared already"):
        declare(Kind("other", "another name for a key", Role.NETWORK, key="norm"))
