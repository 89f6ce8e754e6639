"""Registering plugins, the schema that a config is held against, and building them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import pytest
import torch

import ablate
from ablate import InputError, register, registry
from ablate.config.compose import prepare

if TYPE_CHECKING:
    from nowhere import Parts  # type: ignore[import-not-found]

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones


@pytest.fixture(autouse=True)
def _forget_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with registry.isolated():
        yield


def options(factory: Any) -> SimpleNamespace:
    """The options of a plugin built from the config that its registration and no override gives."""
    register("augment", "mine")(factory)
    return registry.build("augment", ablate.compose(["augment=mine"]).augment)


def test_a_plugin_is_built_with_the_options_of_its_config() -> None:
    @register("act", "mine")
    def mine(parts: str, *, slope: float = 0.1, name_of_it: str = "x") -> tuple[str, float, str]:
        """A line."""
        return parts, slope, name_of_it

    node = ablate.compose(["act=mine", "act.slope=3"]).act
    assert dict(node) == {"name": "mine", "slope": 3.0, "name_of_it": "x"}
    assert registry.build("act", node, "parts") == ("parts", 3.0, "x")
    assert registry.build("act", {"name": "mine"}, "parts") == ("parts", 0.1, "x")


def test_the_decorator_gives_back_what_it_registers() -> None:
    class Mine:
        """A class."""

    assert register("augment", "mine")(Mine) is Mine
    assert isinstance(registry.build("augment", {"name": "mine"}), Mine)


def test_positional_parameters_may_be_known_to_type_checkers_alone() -> None:
    @register("act", "mine")
    def mine(parts: Parts, *, size: int = 3) -> int:
        """A line."""
        return size

    assert registry.build("act", {"name": "mine"}, None) == 3


def test_a_class_without_an_init_of_its_own_has_the_options_of_its_parent() -> None:
    class Parent:
        """The parent."""

        def __init__(self, *, size: int = 3) -> None:
            self.size = size

    @register("augment", "mine")
    class Child(Parent):
        pass

    (entry,) = [entry for entry in registry.entries("augment") if entry.name == "mine"]
    assert [(p.name, p.type, p.default) for p in entry.parameters] == [("size", int, 3)]
    assert entry.summary == "", "a plugin's description is its own"


def define(text: str, file: str) -> None:
    """Run a module's text as if it stood in `file`."""
    exec(compile(f"from ablate import register\n{text}", file, "exec"), {})


PLUGIN = '@register("act", "mine")\ndef mine(parts):\n    """A line."""'


def test_one_name_in_two_files_is_a_clash_that_names_both() -> None:
    define(PLUGIN, "one.py")
    with pytest.raises(InputError, match=r"^act 'mine' is registered twice: in one.py and in two.py; rename one$"):
        define(PLUGIN, "two.py")


def test_one_name_for_two_functions_of_a_file_is_a_clash() -> None:
    with pytest.raises(InputError, match="registered twice"):
        define(f"{PLUGIN}\n{PLUGIN.replace('def mine', 'def other')}", "one.py")


def test_a_file_that_is_loaded_again_takes_its_own_place() -> None:
    define(PLUGIN, "one.py")
    define(PLUGIN.replace("A line", "Another"), "one.py")
    assert registry.lookup("act", "mine").summary == "Another."


def test_a_plugin_belongs_to_the_file_that_registers_it_wherever_its_code_is_from() -> None:
    define('import torch\nregister("act", "mine")(torch.nn.ReLU)', "one.py")
    assert registry.lookup("act", "mine").file == "one.py"


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ("*, size=3", "option 'size' of act 'mine' has no type; write it as size: int = 3$"),
        ("*, eps=1e-6", "option 'eps' of act 'mine' has no type; write it as eps: float = 1e-06$"),
        ("*, flag=True", "write it as flag: bool = True$"),
        ("*, mode='a'", "write it as mode: str = 'a'$"),
        ("*, at=(1, 2)", r"write it as at: list\[int\] = \[1, 2\]$"),
        ("*, at=[1, 0.5]", r"write it as at: list\[float\] = \[1, 0.5\]$"),
        ("*, of={'a': 1}", r"write it as of: dict\[str, int\] = {'a': 1}$"),
        ("*, most=None", r"write it as most: float \| None = None, or whatever type it has beside None$"),
        ("*, size", "write it as size: float, or whatever type it has$"),
        ("*, name: str = 'x'", "'name' is taken, it says which plugin is meant"),
        ("*, size: set = 3", "has type set, which cannot stand in a config; use int, float, str, bool, Path"),
        ("*, size: tuple[int, int] = (1, 2)", r"has type tuple\[int, int\], which cannot stand in a config"),
        ("*, size: list = []", "has type list, which cannot stand"),
        ("*, size: list[set] = []", "has type set, which cannot stand"),
        ("*, size: list[Literal['a']] = []", r"has type list\[typing.Literal\['a'\]\], which cannot stand"),
        ("*, size: Literal[1, 2] = 1", "a Literal in a config must be of strings"),
        ("*, size: int | str = 1", r"of unions only `X \| None` can stand in a config, not int \| str"),
        ("*, size: int = 'many'", "option 'size' of act 'mine' cannot have its default: Value 'many' of type 'str'"),
        ("*, size: int = None", "option 'size' of act 'mine' cannot have its default: Incompatible value .None."),
        ("*, size: Literal['a', 'b'] = 'c'", "its default 'c' is not among its choices, a, b"),
    ],
)
def test_an_option_that_cannot_stand_in_a_config_is_refused(parameters: str, reason: str) -> None:
    text = f'from typing import Literal\n@register("act", "mine")\ndef mine(parts, {parameters}):\n    """A line."""'
    with pytest.raises(InputError, match=reason):
        define(text, "one.py")
    with pytest.raises(InputError, match="unknown act 'mine'"):
        registry.lookup("act", "mine")


@pytest.mark.parametrize(
    ("kind", "parameters", "takes"),
    [
        ("norm", "c, *, a: int = 3", r"takes \(c\), and the framework passes \(parts, channels\)"),
        ("norm", "parts, channels, groups", r"takes \(parts, channels, groups\), and the framework passes"),
        ("act", "x", r"takes \(x\), and the framework passes \(parts\), by name, .*; options stand behind a \*"),
        ("stem", "parts, channels", r"and the framework passes \(parts, out_channels, order\)"),
        ("norm", "channels, parts, /", r"takes \(channels, parts\), and the framework passes"),
        ("optim", "model, *, lr: float = 1.0", r"takes \(model\), and the framework passes \(\)"),
    ],
)
def test_what_takes_something_else_than_the_framework_passes_is_refused(kind: str, parameters: str, takes: str) -> None:
    function = f'@register("{kind}", "mine")\ndef mine({parameters}): pass'
    method = f'@register("{kind}", "mine")\nclass Mine:\n    def __init__({f"self, {parameters}".rstrip(", ")}): pass'
    for text in (function, method):
        with pytest.raises(InputError, match=rf"^{kind} 'mine' .*{takes}"):
            define(text, "one.py")


@pytest.mark.parametrize(
    ("parameters", "takes"),
    [
        ("", {}),
        ("parts", {"parts": "parts"}),
        ("channels", {"channels": 3}),
        ("channels, parts", {"channels": 3, "parts": "parts"}),
        ("channels, groups=2", {"channels": 3, "groups": 2}),
        ("channels, *rest, **others", {"channels": 3, "rest": (), "others": {}}),
        ("channels, *, slope: float = 0.5", {"channels": 3, "slope": 0.5}),
    ],
)
def test_a_plugin_takes_of_what_the_framework_passes_what_it_asks_for(parameters: str, takes: dict[str, Any]) -> None:
    """In its own order; a parameter that is not among that keeps its default."""
    define(f'@register("norm", "mine")\ndef mine({parameters}):\n    """A line."""\n    return locals()', "one.py")
    assert registry.build("norm", {"name": "mine"}, "parts", 3) == takes
    assert registry.build("norm", {"name": "mine"}, channels=3, parts="parts") == takes


def test_classes_of_others_are_plugins_as_they_are() -> None:
    class Plain(torch.nn.Module):
        """Without an `__init__` of its own."""

    register("act", "plain")(Plain)
    register("act", "mish")(torch.nn.Mish)
    assert isinstance(registry.build("act", {"name": "plain"}, "parts"), Plain)
    assert registry.build("act", {"name": "mish"}, "parts").inplace is False


@pytest.mark.parametrize(
    ("kind", "base", "lacking"),
    [
        ("block", "Block", r"layers\(\)"),
        ("shortcut", "Shortcut", r"forward\(\)"),
        ("augment", "Augment", r"apply\(\), draw\(\)"),
    ],
)
def test_a_class_that_lacks_what_its_base_declares_is_refused(kind: str, base: str, lacking: str) -> None:
    text = f'from ablate import {base}\n@register("{kind}", "mine")\nclass Mine({base}):\n    """A line."""'
    if kind == "shortcut":
        text += "\n    def __init__(self, parts, shape): pass"
    with pytest.raises(InputError, match=rf"^{kind} 'mine' lacks {lacking}, which its base declares$"):
        define(text, "one.py")


@pytest.mark.parametrize("name", ["", "two words", "5", "null", "True", "a/b", "a.b", "-a"])
def test_a_name_that_cannot_be_typed_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"the name of act '{name}' cannot be typed"):
        register("act", name)


def test_kinds_are_those_of_the_core() -> None:
    with pytest.raises(InputError, match="unknown plugin kind 'shortcuts'; did you mean 'shortcut'"):
        register("shortcuts", "mine")
    with pytest.raises(InputError, match="unknown plugin kind 'blokc'; did you mean 'block'"):
        registry.entries("blokc")


def every_type(
    *,
    count: int = 1,
    rate: float = 0.5,
    text: str = "x",
    flag: bool = False,
    folder: Path = Path("data"),
    maybe: int | None = None,
    many: list[int] = [1, 2],  # noqa: B006
    table: dict[str, float] = {"a": 1.0},  # noqa: B006
    anything: Any = None,
    choice: Literal["left", "right"] = "left",
    maybe_choice: Literal["up", "down"] | None = None,
) -> SimpleNamespace:
    """Every type that an option may have."""
    return SimpleNamespace(**locals())


def test_options_of_every_type_have_their_defaults() -> None:
    built = options(every_type)
    assert (built.count, built.rate, built.text, built.flag, built.maybe) == (1, 0.5, "x", False, None)
    assert (built.folder, list(built.many), dict(built.table)) == (Path("data"), [1, 2], {"a": 1.0})
    assert (built.anything, built.choice, built.maybe_choice) == (None, "left", None)


def test_options_of_every_type_can_be_typed() -> None:
    options(every_type)
    texts = ["count=7", "rate=2", "text=y", "flag=true", "folder=/there", "maybe=4", "many=[3]", "table.a=2"]
    texts += ["anything=[1,b]", "choice=right", "maybe_choice=down"]
    built = registry.build("augment", ablate.compose(["augment=mine", *(f"augment.{text}" for text in texts)]).augment)
    assert (built.count, built.rate, built.text, built.flag, built.maybe) == (7, 2.0, "y", True, 4)
    assert (built.folder, list(built.many), dict(built.table)) == (Path("/there"), [3], {"a": 2.0})
    assert (list(built.anything), built.choice, built.maybe_choice) == ([1, "b"], "right", "down")


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("count=1.5", "augment.count=1.5: Value '1.5' of type 'float' could not be converted to Integer"),
        ("count=null", "augment.count=null: cannot be null"),
        ("rate=fast", "augment.rate=fast: Value 'fast' of type 'str' could not be converted to Float"),
        ("flag=perhaps", "augment.flag=perhaps: Value 'perhaps' is not a valid bool"),
        ("maybe=x", "augment.maybe=x: Value 'x' of type 'str' could not be converted to Integer"),
        ("many=3", "augment.many=3: must be a list, such as [a,b]"),
        ("many=[x]", "Value 'x' of type 'str' could not be converted to Integer"),
        ("choice=lft", "unknown value of augment.choice 'lft'; did you mean 'left'?; known: left, right"),
        ("maybe_choice=dwon", "unknown value of augment.maybe_choice 'dwon'; did you mean 'down'?; known: down, up"),
        ("cuont=3", "unknown key 'augment.cuont'; did you mean 'augment.count'?"),
        ("+cuont=3", "unknown option of augment 'mine' 'cuont'; did you mean 'count'?"),
    ],
)
def test_a_wrong_value_of_an_option_is_one_line(override: str, reason: str) -> None:
    options(every_type)
    plus, name = ("+", override[1:]) if override.startswith("+") else ("", override)
    with pytest.raises(InputError) as error:
        ablate.compose(["augment=mine", f"{plus}augment.{name}"])
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        ({"name": "mien"}, "unknown augment 'mien'; did you mean 'mine'?"),
        ({"name": "mine", "cuont": 3}, "unknown option of augment 'mine' 'cuont'; did you mean 'count'?"),
        ({"name": "mine", "choice": "x"}, "unknown value of augment.choice 'x'; known: left, right"),
        ({}, "unknown augment 'None'"),
    ],
)
def test_building_holds_a_node_against_its_plugin(node: dict[str, Any], reason: str) -> None:
    options(every_type)
    with pytest.raises(InputError) as error:
        registry.build("augment", node)
    assert reason in str(error.value)


def test_a_path_is_one_also_from_a_frozen_config() -> None:
    options(every_type)
    assert registry.build("augment", {"name": "mine", "folder": "there"}).folder == Path("there")
    paths = [parameter.name for parameter in registry.lookup("augment", "mine").parameters if parameter.is_path]
    assert paths == ["folder"]


def test_an_option_without_a_default_must_be_typed() -> None:
    @register("augment", "mine")
    def mine(*, slope: float, folder: Path | None = None) -> float:
        """A line."""
        return slope

    assert registry.build("augment", ablate.compose(["augment=mine", "augment.slope=2"]).augment) == 2.0
    for node in (ablate.compose(["augment=mine"]).augment, {"name": "mine"}, {"name": "mine", "slope": "???"}):
        with pytest.raises(InputError, match=r"augment 'mine' needs a value: augment.slope=..."):
            registry.build("augment", node)


def test_plugins_are_listed_by_kind_and_name() -> None:
    entries = registry.entries()
    assert [entry.kind for entry in entries] == sorted((e.kind for e in entries), key=list(registry.KINDS).index)
    names = [entry.name for entry in registry.entries("order")]
    assert names == sorted(names)
    assert {"post", "pre"} <= set(names)


def test_what_is_registered_in_isolation_is_forgotten_with_its_schema() -> None:
    with registry.isolated():
        register("augment", "passing")(every_type)
        assert ablate.compose(["augment=passing"]).augment.name == "passing"
    with pytest.raises(InputError, match="unknown augment 'passing'"):
        ablate.compose(["augment=passing"])
