"""What Python files say, apart from comments, docstrings and layout: a digest of their code, and what they import."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs

MOST = 3000  # files that are remembered; beyond, only those that were asked for last
VERSION = 1  # of what is read off a file; a change makes the kept ones worthless
# A file that uses one of these may load modules that no import statement names.
LOADERS = frozenset({"importlib", "runpy", "pkgutil", "__import__", "exec", "eval", "imp"})
# A file that uses one of these may read what lies beside it.
LOCATORS = frozenset({"__file__", "resources", "pkgutil", "getfile", "getsourcefile"})

DECIDES_NUMBERS = False


@dataclass(frozen=True)
class Source:
    """What one Python file says.

    Attributes:
        digest: of its code, whatever its comments, docstrings and layout.
        imports: (level, module, name) of each import; level counts the leading dots, name is empty for `import module`.
        texts: its text constants that could name a file.
        attributes: (object, name) of what it takes from names, as ("ablate", "register").
        loads: it may load modules that no import statement names.
        locates: it may read what lies beside it.
        decides_numbers: it does not declare the opposite (`DECIDES_NUMBERS = False`).
    """

    digest: str
    imports: tuple[tuple[int, str, str], ...]
    texts: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]
    loads: bool
    locates: bool
    decides_numbers: bool


def source_of(file: Path) -> Source:
    """What a file says; read anew where its content has changed since it was last asked.

    Raises:
        OSError: it cannot be read.
        SyntaxError: it is no Python.
    """
    return source_of_text(file.read_bytes())


def source_of_text(content: bytes) -> Source:
    """What the content of a file says.

    Raises:
        SyntaxError: it is no Python.
    """
    return _known(hashlib.sha256(content).hexdigest(), content)


@cache
def _known(key: str, content: bytes) -> Source:
    _used.add(key)
    try:
        return _of_plain(_kept()[key])
    except (KeyError, TypeError, ValueError):  # not there, or not what this version writes
        source = _read(content)
        _kept()[key] = asdict(source)
        _fresh.add(key)
        return source


_used: set[str] = set()
_fresh: set[str] = set()


def _read(content: bytes) -> Source:
    tree = ast.parse(content)
    nodes = list(_run_nodes(tree))
    # Names alone, whatever they are bound to, find too much rather than too little: with a file too many in its
    # fingerprint a cell is trained once more, with one too few it shows the figures of other code.
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    imports = tuple(found for node in nodes for found in _imported(node))
    roots = {part for _, module, name in imports for part in (*module.split("."), name)}
    docstrings = {id(one.value) for node in nodes for one in _remarks(node)}
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in docstrings]
    taken = {
        (node.value.id, node.attr)
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    return Source(
        digest=hashlib.sha256(_canonical(tree).encode()).hexdigest(),
        imports=imports,
        texts=tuple(dict.fromkeys(text for text in texts if isinstance(text, str) and _may_name_a_file(text))),
        attributes=tuple(sorted(one for one in taken if one[0] == "ablate")),
        loads=bool(LOADERS & (names | roots)),
        locates=bool(LOCATORS & (names | roots)),
        decides_numbers=not any(_declares_nothing(node) for node in tree.body),
    )


def _run_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node of what runs, without what stands there for type checkers alone."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        # Those imports lead to modules that a running cell never loads: its fingerprint would hold too much.
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def _canonical(node: Any) -> str:
    """A syntax tree as text, the same under every version of Python: what is empty or None is left out."""
    if isinstance(node, ast.AST):
        remarks = _remarks(node)
        parts = []
        for name, value in ast.iter_fields(node):
            # None of these changes what runs: `ctx` follows from the place, `kind` tells u"" from "".
            if name in ("ctx", "kind", "type_comment", "type_ignores") or value is None or value == []:
                continue
            kept = [one for one in value if one not in remarks] if isinstance(value, list) else value
            parts.append(f"{name}={_canonical(kept)}")
        return f"{type(node).__name__}({','.join(parts)})"
    if isinstance(node, list):
        return f"[{','.join(map(_canonical, node))}]"
    return repr(node)


def _remarks(node: ast.AST) -> list[ast.Expr]:
    """The statements of a body that are nothing but a text: docstrings, of attributes too."""
    body = getattr(node, "body", None)
    if not isinstance(body, list):
        return []
    return [
        one
        for one in body
        if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) and isinstance(one.value.value, str)
    ]


def _imported(node: ast.AST) -> Iterator[tuple[int, str, str]]:
    if isinstance(node, ast.Import):
        yield from ((0, alias.name, "") for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from ((node.level, node.module or "", alias.name) for alias in node.names)


def _may_name_a_file(text: str) -> bool:
    return 0 < len(text) <= 200 and "\n" not in text and "\0" not in text


def _declares_nothing(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant) or node.value.value is not False:
        return False
    return any(isinstance(target, ast.Name) and target.id == "DECIDES_NUMBERS" for target in node.targets)


def _file() -> Path:
    return platformdirs.user_cache_path("ablate") / f"sources-{VERSION}.json"


@cache
def _kept() -> dict[str, Any]:
    """What was read before, by the hash of a file's content; it may be deleted at any time."""
    try:
        kept = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def keep() -> None:
    """Keep what was read by now for the processes to come; where that is not possible they read it again."""
    if not _fresh:
        return
    kept = _kept()
    if len(kept) > MOST:
        # Each edit of a file leaves an entry behind that nobody will ask for again.
        kept = {key: kept[key] for key in _used if key in kept}  # what is no Python was only asked for
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        # Without a lock: of two processes that write at once one loses what it read, and it is read again.
        descriptor, name = tempfile.mkstemp(dir=_file().parent, prefix=".sources-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(kept, file)
        os.replace(name, _file())
    except OSError:
        return
    _fresh.clear()


def _of_plain(plain: dict[str, Any]) -> Source:
    pairs = {name: tuple(tuple(one) for one in plain[name]) for name in ("imports", "attributes")}
    return Source(**{**plain, **pairs, "texts": tuple(plain["texts"])})
