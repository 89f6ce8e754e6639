"""Composing configs: local files, and mistakes as one line each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra

import ablate
from ablate import InputError
from ablate.__main__ import main
from ablate.config.compose import compose_in_context, hydra_context, prepare, settings_of, with_values
from ablate.config.files import config_names
from ablate.system.paths import conf_dir

pytestmark = pytest.mark.usefixtures("here")

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

Plan = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], here: Path) -> Plan:
    """Run a command that must end as wrong input: with one line, and nothing trained or written."""

    def run(*arguments: str) -> str:
        before = sorted(here.rglob("*"))
        assert main(list(arguments)) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("ablate: ")
        assert err.count("\n") == 1, err
        assert sorted(here.rglob("*")) == before
        return err.removeprefix("ablate: ").rstrip("\n")

    return run


def write(path: str, text: str) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file.resolve()


def exp(text: str, name: str = "mine") -> Path:
    return write(f"conf/exp/{name}.yaml", f"# @package _global_\n{text}\n")


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["+exp=nope"], "unknown exp 'nope'; known: activation_order, "),
        (["+exp=degradatoin"], "unknown exp 'degradatoin'; did you mean 'degradation'?"),
        (["exp=degradation"], "write it with a plus: +exp=degradation"),
        (["shortcut=projecton"], "unknown shortcut 'projecton'; did you mean 'projection'?; known: concat, conv1x1, "),
        (["scale=quik"], "unknown scale 'quik'; did you mean 'quick'?; known: medium, paper, quick"),
        (["arch=resnet5"], "unknown arch 'resnet5'; did you mean 'resnet"),
        (["arch=5"], "'arch=5': arch is chosen by a name; python -m ablate list arch shows them"),
        (["arch={depth:5}"], "'arch={depth:5}': arch is chosen by a name; python -m ablate list arch shows them"),
        (["+exp=5"], "'+exp=5': exp is chosen by a name; python -m ablate list exp shows them"),
        (["+exp=nan"], "'+exp=nan': exp is chosen by a name; python -m ablate list exp shows them"),
        (["+exp=null"], "'+exp=null': exp is chosen by a name; python -m ablate list exp shows them"),
        (["dept=3"], "unknown key 'dept'; did you mean 'depth'?; known: act, "),
        (["+dept=3"], "unknown key 'dept'; did you mean 'depth'?; known: act, "),
        (["trainer.epoch=3"], "unknown key 'trainer.epoch'; did you mean 'trainer.epochs'?; known: "),
        (["+trainer.epoch=3"], "unknown key 'trainer.epoch'; did you mean 'trainer.epochs'?; known: "),
        (["shortcut.norm=false"], "unknown key 'shortcut.norm'; did you mean 'shortcut.name'?; known: name, pad"),
        (["shortcut.name=projection"], "shortcut.name=projection: choose it as shortcut=projection, in a file by "),
        (["data.batch_size=abc"], "data.batch_size=abc: Value 'abc' of type 'str' could not be converted to Integer"),
        (["seed=1.5"], "seed=1.5: Value '1.5' of type 'float' could not be converted to Integer"),
        (["seed=null"], "seed=null: cannot be null"),
        (["seed=-1"], "seed=-1: must be at least 0"),
        (["width=0"], "width=0: a factor on channel counts, so it must be a number above 0"),
        (["width=nan"], "width=nan: a factor on channel counts, so it must be a number above 0"),
        (["trainer=3"], "'trainer=3': trainer is chosen by a name; python -m ablate list trainer shows them"),
        (["trainer.epochs_to=3"], "trainer.epochs_to=3: must be a list, such as [a,b]"),
        (
            ["study.claims=[a]"],
            "study.claims=[a]: a claim has an id, metric, contrast, expect and margin; write claims ",
        ),
        (["runs="], "runs is empty: it names the folder of the store, such as runs=runs"),
        (["runs=' '"], "runs is empty: it names the folder of the store, such as runs=runs"),
        (["rerun=sometimes"], "unknown value of rerun 'sometimes'; known: none, stale"),
        (["seed=0,1"], "'seed=0,1' names several values: sweep over them with -m, or write a list as [a,b]"),
        (["depth=${nowhere}"], "depth: Interpolation key 'nowhere' not found"),
        (["tracker=${nowhere}"], "tracker=${nowhere}: Interpolation key 'nowhere' not found"),
        (["probes=[${seed}]"], "probes=[${seed}]: a list of choices holds names alone"),
        (["tracker=[null,null]"], "'tracker=[null,null]': tracker is chosen by a name"),
        (["measurements=[0.1]"], "'measurements=[0.1]': measurements is chosen by a name"),
        ([f"{'x' * 300}=1"], f"{'x' * 30} ... "),
        ([f"act={'x' * 300}"], f"unknown act '{'x' * 300}'"),
        (["~act=0"], "'~act=0': a choice is taken away by its name"),
        (
            ["width=json(1)"],
            "cannot read 'width=json(1)': there is no function json(); text with brackets",
        ),
        (["width=int(a)"], "cannot read 'width=int(a)': int(a): invalid literal"),
        (["study.arms={a:range(1,3)}"], "'study.arms={a:range(1,3)}' names several values inside of one"),
        (["study.name=[a]"], "study.name=[a]: must be text, and neither a list nor a mapping"),
        (["+width=[1]"], "+width=[1]: must be a number, and neither a list nor a mapping"),
        (["study.strict={a:1}"], "study.strict={a:1}: must be true or false"),
        (["runs=${oc.env:NO_SUCH_VARIABLE}"], "runs: ${oc.env:NO_SUCH_VARIABLE} asks for the environment"),
        (["shortcut=projection", "shortcut.norm=${nowhere}"], "Interpolation key 'nowhere' not found"),
        (["+depth=3"], "depth exists already; set it without the plus"),
        (["+scale=quick"], "scale is chosen twice; leave out the plus in +scale=..."),
        (["+arch=resnet50"], "arch is chosen twice; leave out the plus in +arch=..."),
        (["~shortcut"], "shortcut has no value; it can be set, and not deleted"),
        (["~depth"], "depth has no value; it can be set, and not deleted"),
        (["~trainer.epochs"], "~trainer.epochs: can be set, and not deleted"),
        (["~nothing"], "cannot delete 'nothing': it does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_override_is_one_line(overrides: list[str], line: str, refused: Plan) -> None:
    assert refused(*overrides).startswith(line)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("data.batch_size=abc", "data.batch_size=abc: Value 'abc' of type 'str' could not be converted to Integer"),
        ("trainer.epochs_to=3", "trainer.epochs_to=3: must be a list, such as [a,b]"),
        ("dept=3", "unknown key 'dept'; did you mean 'depth'?; known: act, "),
        ("study.claims=[a]", "study.claims=[a]: a claim has an id, metric, contrast, expect and margin; write claims "),
    ],
)
def test_it_is_the_same_line_where_omegaconf_keeps_the_causes_of_its_errors(
    override: str, line: str, refused: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does under a debugger: then an error may be its own cause, and a chain of causes never ends."""
    monkeypatch.setenv("OC_CAUSE", "1")
    assert refused(override).startswith(line)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("study.arms.new=['order=pre']", "unknown key 'study.arms.new'; known: none; +study.arms.new=[...] adds one"),
        ("study.grid.depth=[8,14]", "unknown key 'study.grid.depth'; known: none; +study.grid.depth=[...] adds one"),
        ("study.armz.new=[pre]", "unknown key 'study.armz'; did you mean 'study.arms'?; known: "),
    ],
)
def test_a_key_that_can_be_added_says_how(override: str, line: str, refused: Plan) -> None:
    error = refused(override)
    assert error.startswith(line)
    assert error.endswith("adds one") == line.endswith("adds one")


def test_the_traceback_is_shown_where_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert main(["shortcut=projecton"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("Traceback")
    assert "MissingConfigException" in error
    assert "InputError: unknown shortcut 'projecton'" in error


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("study: {name: [x", "{file} line 3 is broken YAML: "),
        ("study:\n\tname: x", "{file} line 3 is broken YAML: found character '\\t' that cannot start any token"),
        ("trainer: {epoch: 3}", "conf/exp/mine.yaml: unknown key 'trainer.epoch'; did you mean 'trainer.epochs'?"),
        ("trainer: {epochs: abc}", "conf/exp/mine.yaml: trainer.epochs: Value 'abc' of type 'str' could not be"),
        (
            "study: {arms: {a: order=pre}}",
            "study.arms.a: must be a list, such as [order=pre], or a mapping with overrides,",
        ),
        (
            "study: {arms: {a: [{order: pre}]}}",
            "study.arms.a: must be a list of texts, such as [order=pre], and not ",
        ),
        ("study: {arms: {a: }}", "study.arms.a: must be a list, such as [order=pre], or a mapping"),
        ("study: {claims: [{contrst: {}}]}", "conf/exp/mine.yaml: unknown key 'contrst'; did you mean 'contrast'?"),
        ("study: {scales: {paper: {arms: {}}}}", "conf/exp/mine.yaml: unknown key 'study.scales.paper.arms'"),
        ("defaults: [override /shortcut: nnoe]", "unknown shortcut 'nnoe'; did you mean 'none'?"),
        ("defaults: [override /shrtcut: none]", "conf/exp/mine.yaml: there is no config group 'shrtcut'"),
        ("shortcut: none", "conf/exp/mine.yaml: a file chooses shortcut by `defaults: [override /shortcut: none]`"),
        (
            "shortcut: null",
            "conf/exp/mine.yaml: shortcut is None; a file chooses it by `defaults: [override /shortcut: NAME]`",
        ),
        (
            "shortcut: {name: none}",
            "conf/exp/mine.yaml: shortcut.name=none: choose it as shortcut=none, in a file by `defaults: [override ",
        ),
        ("study: {name: []}", "conf/exp/mine.yaml: study.name: must be text, and neither a list nor a mapping"),
        ("study: {name: null}", "conf/exp/mine.yaml: study.name: cannot be null"),
        ("depth: {}", "conf/exp/mine.yaml: depth: must be a number, and neither a list nor a mapping"),
        ("study: {scales: {tiny: x}}", "conf/exp/mine.yaml: study.scales.tiny: Scale has keys of its own"),
        ("trainer: 5", "conf/exp/mine.yaml: Trainer has keys of its own; set one of those"),
        ("defaults: [{/exp: [x]}]", "there is no exp 'x'"),
        ("defaults: [{/act: [gelu, elu]}]", "act is chosen twice: "),
        ("depth: ${nowhere}", "depth: Interpolation key 'nowhere' not found"),
    ],
)
def test_a_mistake_in_a_file_names_the_file(text: str, line: str, refused: Plan) -> None:
    file = exp(text)
    assert refused("+exp=mine").startswith(line.format(file=file))


@pytest.mark.parametrize("text", ["", "study: {name: x}"])
def test_a_file_without_its_package_line_says_so(text: str, refused: Plan) -> None:
    write("conf/exp/mine.yaml", text)
    error = refused("+exp=mine")
    assert error.startswith("conf/exp/mine.yaml: unknown key 'exp'")
    assert error.endswith("the file needs '# @package _global_' as its first line")


def test_without_its_package_line_no_file_of_a_plugin_is_named_that_there_is_not(refused: Plan) -> None:
    write("conf/exp/mine.yaml", "defaults: [{/norm: group}]\n")
    error = refused("+exp=mine")
    assert error.startswith("unknown key 'exp'")
    assert error.endswith("the file in conf/exp needs '# @package _global_' as its first line")


def test_a_local_config_may_not_take_the_name_of_a_built_in_one(refused: Plan) -> None:
    file = exp("study: {}", "degradation")
    assert refused("depth=8") == f"{file} has the name of the built-in config exp/degradation.yaml; rename it"


def test_a_local_config_may_not_take_the_name_of_a_plugin(refused: Plan) -> None:
    file = write("conf/shortcut/projection.yaml", "name: projection\nnorm: 5\n")
    assert refused("depth=8") == f"{file} has the name of the plugin shortcut=projection; rename it"


def test_a_local_choice_builds_on_a_plugin_and_its_schema(refused: Plan) -> None:
    write("conf/shortcut/bare.yaml", "defaults: [projection, _self_]\nnorm: false\n")
    config = ablate.compose(["shortcut=bare"])
    assert dict(config.shortcut) == {"name": "projection", "norm": False, "bias": False}
    assert refused("shortcut=bare", "shortcut.norm=abc").startswith("shortcut.norm=abc: Value 'abc'")
    write("conf/shortcut/bare.yaml", "name: projection\nnorm: abc\n")
    assert refused("shortcut=bare").startswith("a config of shortcut builds on a plugin: begin its file with `defaults")


def test_plugins_and_experiments_of_the_working_directory_are_used_together() -> None:
    plugin = (
        'from ablate import register\n\n@register("act", "steep")\ndef steep(parts, *, slope: float = 2.0):\n    pass\n'
    )
    write("plugins/steep.py", plugin)
    exp("defaults: [override /act: steep]\nact: {slope: 3}\nstudy: {name: mine}")
    config = ablate.compose(["+exp=mine"])
    assert dict(config.act) == {"name": "steep", "slope": 3.0}
    assert config.study.name == "mine"
    assert "mine" in config_names("exp")


def test_no_preset_is_a_choice_and_undoes_that_of_a_file() -> None:
    assert ablate.compose(["arch=null"]) == ablate.compose()
    exp("defaults: [override /arch: resnet50]\nstudy: {name: mine}")
    assert ablate.compose(["+exp=mine"]).depth == 50
    assert ablate.compose(["+exp=mine", "arch=null"]).depth == 20


def test_options_of_a_choice_can_be_typed_with_it() -> None:
    config = ablate.compose(["shortcut=projection", "shortcut.norm=false", "arch=resnet50"])
    assert (config.shortcut.norm, config.depth, config.block.name) == (False, 50, "bottleneck")


def test_composing_inside_a_hydra_application_leaves_it_as_it_was() -> None:
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        outer = GlobalHydra.instance().hydra
        assert ablate.compose(["depth=8"]).depth == 8
        assert GlobalHydra.instance().hydra is outer
    assert not GlobalHydra.instance().is_initialized()


def test_a_failed_composition_leaves_no_hydra_behind() -> None:
    with pytest.raises(InputError):
        ablate.compose(["dept=8"])
    assert not GlobalHydra.instance().is_initialized()


def test_values_are_set_in_a_copy_and_checked_as_typed_ones_are() -> None:
    with hydra_context():
        config = compose_in_context([])
    other = with_values(config, {"depth": 8, "trainer.epochs": 3})
    assert (other.depth, other.trainer.epochs, config.depth, config.trainer.epochs) == (8, 3, 20, 6)
    for key, value, reason in [
        ("dept", 8, "unknown key 'dept'; did you mean 'depth'?"),
        ("depth", "deep", "depth: Value 'deep' of type 'str' could not be converted to Integer"),
        ("block.bias", "som", "unknown value of block.bias 'som'"),
    ]:
        with pytest.raises(InputError) as error:
            with_values(config, {key: value})
        assert str(error.value).startswith(reason)


def test_what_a_preset_sets_is_read_with_the_files_it_builds_on() -> None:
    write(
        "conf/arch/base.yaml",
        "# @package _global_\ndefaults:\n  - override /order: pre\n\ndepth: 8\nblock: {bias: all}\n",
    )
    write("conf/arch/deeper.yaml", "# @package _global_\ndefaults:\n  - base\n  - _self_\n\ndepth: 14\n")
    assert settings_of("arch", "deeper") == {"order": "pre", "depth": 14, "block.bias": "all"}
