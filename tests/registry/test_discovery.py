"""Finding plugins: where they are looked for, and what a broken one says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate import InputError, registry
from ablate.config.code import fingerprint, forget
from ablate.config.compose import prepare
from ablate.registry.discovery import discover
from ablate.system.paths import PACKAGE, plugin_dir

pytestmark = pytest.mark.usefixtures("here")

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

PLUGIN = 'from ablate import register\n\n\n@register("act", "{name}")\ndef {name}(parts):\n    """A line."""\n'


def write(path: str, text: str) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file.resolve()


def names() -> set[str]:
    return {entry.name for entry in registry.entries("act")}


def test_plugins_of_the_working_directory_are_found_at_any_depth() -> None:
    write("plugins/flat.py", PLUGIN.format(name="flat"))
    write("plugins/acts/more/deep.py", PLUGIN.format(name="deep"))
    before = names()
    discover()
    assert names() - before == {"flat", "deep"}


def test_plugins_of_a_folder_import_each_other_relatively() -> None:
    write("plugins/acts/_slopes.py", "SLOPE = 0.25\n")
    write("plugins/_shared.py", "from .acts._slopes import SLOPE\n")
    write("plugins/acts/mine.py", f"from .._shared import SLOPE\n{PLUGIN.format(name='mine')}    return SLOPE\n")
    discover()
    assert registry.build("act", {"name": "mine"}, None) == 0.25


def test_an_underscore_or_a_dot_marks_what_is_no_plugin() -> None:
    for path in ("plugins/_no.py", "plugins/.no.py", "plugins/_private/no.py", "plugins/.cache/no.py"):
        write(path, "raise RuntimeError\n")
    discover()


def test_a_plugin_is_imported_once() -> None:
    write("plugins/counts.py", "import os\nos.mkdir('first' if not os.path.exists('first') else 'again')\n")
    discover()
    discover()
    assert Path("first").exists()
    assert not Path("again").exists()


def test_the_built_in_folder_is_no_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(plugin_dir().parent)
    discover()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import torch\ndef f(:\n", "SyntaxError: invalid syntax (broken.py line 2)"),
        ("\nimport no_such_thing\n", "ModuleNotFoundError: No module named 'no_such_thing' (broken.py line 2)"),
        ("from ablate import Blokc\n", "ImportError: cannot import name 'Blokc' from 'ablate'"),
        ("raise ValueError('two\\nlines')\n", "ValueError: two lines (broken.py line 1)"),
        ("import sys\nsys.exit(3)\n", "it ends the process, by SystemExit: 3 (broken.py line 2)"),
        ("from ._helper import x\n", "ZeroDivisionError: division by zero (_helper.py line 1)"),
        ("import torch\ntorch.nn.Linear('a', 3)\n", "(broken.py line 2)"),
        (PLUGIN.format(name="relu"), "act 'relu' is registered twice: in "),
        (PLUGIN.format(name="x").replace("act", "actt"), "unknown plugin kind 'actt'; did you mean 'act'?"),
    ],
)
def test_a_plugin_that_does_not_import_is_one_line_with_file_and_reason(text: str, reason: str) -> None:
    write("plugins/_helper.py", "x = 1 / 0\n")
    file = write("plugins/broken.py", text)
    with pytest.raises(InputError) as error:
        discover()
    assert str(error.value).startswith(f"plugin {file} does not import: ")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_a_clash_with_a_built_in_plugin_names_both_files() -> None:
    file = write("plugins/mine.py", PLUGIN.format(name="relu"))
    with pytest.raises(InputError) as error:
        discover()
    assert f"in {plugin_dir() / 'activations' / 'rectifiers.py'} and in {file}; rename one" in str(error.value)


def test_a_mended_plugin_is_found() -> None:
    write("plugins/mine.py", "1 / 0\n")
    with pytest.raises(InputError, match="division by zero"):
        discover()
    write("plugins/mine.py", PLUGIN.format(name="mended"))
    discover()
    assert "mended" in names()


def test_entry_points_are_modules_or_whole_packages_of_plugins() -> None:
    """In a process of its own, with a distribution that is not installed but lies on its path."""
    write("site/one_file.py", PLUGIN.format(name="from_module"))
    write("site/acts/__init__.py", "")
    write("site/acts/plain.py", f"from acts._shared import X\n{PLUGIN.format(name='from_package')}")
    write("site/acts/_shared.py", "X = 1\n")
    write("site/third-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: third\nVersion: 1.0\n")
    points = write("site/third-1.0.dist-info/entry_points.txt", "[ablate.plugins]\none = one_file\nmany = acts\n")
    program = (
        "from ablate import InputError, registry\nfrom ablate.registry.discovery import discover\n"
        "discover()\nprint(*sorted(entry.name for entry in registry.entries('act') if 'from_' in entry.name))\n"
    )
    broken = (
        "from ablate import InputError\nfrom ablate.registry.discovery import discover\n"
        "try:\n    discover()\nexcept InputError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), str(Path("site").resolve())])}

    def printed(text: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=False
        )
        assert done.stderr == ""
        return done.stdout.strip()

    assert printed(program) == "from_module from_package"
    with points.open("a") as file:
        file.write("bad = nowhere:thing\n")
    reason = "ModuleNotFoundError: No module named 'nowhere'"
    assert printed(broken).startswith(f"plugin entry point 'bad' (nowhere:thing) fails: {reason}")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "it is a pipe and not a file"),
        (Path.mkdir, "it is a folder and not a file"),
        (lambda file: file.symlink_to("nowhere"), "No such file or directory"),
        (lambda file: file.symlink_to(file.name), "Too many levels of symbolic links"),
        (lambda file: file.symlink_to("/dev/zero"), "it is a device and not a file"),
    ],
    ids=["pipe", "folder", "link to nothing", "link to itself", "device"],
)
@pytest.mark.parametrize("name", ["mine.py", "_helper.py"])
def test_what_stands_in_the_place_of_a_plugin_is_named_and_never_waited_for(
    make: Callable[[Path], object], reason: str, name: str
) -> None:
    file = write("plugins/real.py", PLUGIN.format(name="real")).with_name(name)
    make(file)
    with pytest.raises(InputError) as error:
        discover()
    assert str(error.value) == f"cannot read {file}: {reason}"


@pytest.mark.parametrize("layout", ["checkout", "installed", "link"])
def test_two_copies_of_ablate_are_named_as_such(layout: str) -> None:
    other = Path("other/ablate").resolve() if layout == "installed" else Path("other").resolve()
    write(str(other / "__main__.py" if layout == "installed" else other / "ablate" / "__main__.py"), "")
    write(str(other / "plugins" / "rectifiers.py"), PLUGIN.format(name="relu"))
    here = other
    if layout == "link":
        here = Path("work").resolve()
        here.mkdir()
        (here / "plugins").symlink_to(other / "plugins")
    os.chdir(here)
    with pytest.raises(InputError) as error:
        discover()
    this = plugin_dir().parent
    assert str(error.value).startswith(
        f"two copies of ablate: this command runs the one in {this}, and {here}/plugins "
    )
    assert f"belongs to the one in {other}; work in another folder, or take {this} off the path" in str(error.value)
    assert "rename" not in str(error.value)


def test_a_file_beside_a_plugin_that_is_no_python_is_data() -> None:
    write("plugins/mine.py", f"import importlib\n{PLUGIN.format(name='mine')}    return None\n")
    file = write("plugins/_half.py", "x = (\n")
    discover()
    config = {"act": {"name": "mine"}}
    first = fingerprint(config)
    file.write_bytes(b"# \xf6\0")
    forget()
    assert fingerprint(config) != first
