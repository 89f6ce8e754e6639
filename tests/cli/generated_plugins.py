"""Strategies of hypothesis for plugins: files that register classes and functions of any signature."""

from __future__ import annotations

from hypothesis import strategies as st

import ablate
from ablate.registry.kinds import KINDS
from tests.cli.generated import lines, texts, words

# What a file may begin with.
ODD_HEADERS = lines("""
from __future__ import annotations
# -*- coding: latin-1 -*-
# coding: nonsense
import nothing_here
raise RuntimeError('no')
raise SystemExit(3)
def (
x = 'a
    pass
import os; os._exit(0)
1 / 0
from ._beside import x
raise KeyboardInterrupt
raise BaseException('b')
raise type('Odd', (Exception,), {'__str__': lambda s: 1})()
""")
IMPORTS = """import ablate, enum, pathlib, torch, typing
from pathlib import Path
from typing import *
from torch import nn
from ablate import register
class Colour(enum.Enum):
    RED = 1
class Raises:
    def __repr__(self): raise RuntimeError('repr')
    __str__ = __eq__ = __bool__ = __hash__ = __repr__
"""
BASES = words("""
nn.Module object nn.ReLU ablate.Shortcut ablate.Order nn.Module nn.Module ablate.DataSet ablate.Augment
ablate.Optim ablate.Schedule ablate.Init ablate.Engine ablate.Tracker ablate.Probe ablate.Measurement
ablate.Evaluation ablate.Backbone int type Exception typing.NamedTuple enum.Enum
""")
TYPES = words("""
int float str bool Path Any None int|None list[int] list dict dict[str,int] dict[int,int] tuple tuple[int,int]
set Literal['a','b'] Literal[1,2] Literal['a']|None Optional[float] Union[int,str] Colour torch.Tensor nn.Module
Nothing 'int' 'Nothing' object type Callable list[list[int]] list[Nothing] bytes complex 3 int|str|None
Annotated[int,3] Self Final ClassVar[int] TypeVar('T') list[Path] dict[str,Any] range NotRequired[int]
Literal[()] Literal 'a
""")
DEFAULTS = words("""
0 1 -1 1.5 1e400 -1e400 float('nan') 'a' 'b' '' None True [] [1] ['a'] {} {'a':1} {1:2} (1,2) () {1} Path('x')
Colour.RED torch.zeros(2) object() Raises() lambda:0 int b'a' 10**30 10**5000 '${seed}' '${nothing}' '???' [[1]]
'é' '\x00' '\ud800' ... 1j {'a':{}} '\x1b[31m' range(3) Ellipsis
""")
NAMES = words("""
eps parts channels in_channels shape order self name x value _x inplace é lr _target_ items keys pop get
batch_size root __x type _content weight copy
""")
BODIES = ["super().__init__()"] * 12 + lines("""
pass
raise ValueError('bad')
raise SystemExit(2)
1 / 0
super().__init__(); self.lin = nn.Linear(3, 3)
import os; os._exit(3)
raise KeyboardInterrupt
raise ablate.InputError('mine says no')
raise RuntimeError('a\\nb\\x1b[31m')
super().__init__(); self.p = nn.Parameter(torch.zeros(1))
raise Exception()
raise BaseException('b')
open('here', 'r')
raise KeyError(1)
assert False
print('hello')
raise RuntimeError('x' * 10**5)
""")
RETURNS = lines("""
None
3
nn.Identity()
nn.ReLU()
nn.ReLU
object()
x
[]
nn.Linear(3, 4)
torch.zeros(1)
lambda x: x
nn.Sequential()
x * 2
x[:1]
x.sum()
x.detach()
(x, x)
x.double()
x.to('meta')
[1 / 0]
""")
METHODS = words("""
forward build load check look reads size classes channels views __call__ plan start slots measure value batch
apply batch_size train test __len__ parameters lr after_epoch begin end unit
""")
PLUGIN_NAMES = [
    *["odd"] * 30,
    "relu",
    "none",
    "null",
    "5",
    "",
    "a b",
    "a.b",
    "Odd",
    "x" * 60,
    "é",
    "true",
    "../x",
    "odd-1",
]
ATTRIBUTES = lines("""
incidental = 3
incidental = True
incidental = ['x']
incidental = 'abc'
before = 3
before = {'x': 1}
published = {'a': 'b'}
published = 3
reads = 3
batch_size = 'x'
batch_size = 100
classes = 10
size = (8, 8)
channels = 1
classes = 'ten'
size = 8
classes = -1
__doc__ = 3
__slots__ = ('a',)
incidental = [[]]
before = {3: object()}
__signature__ = 3
__init__ = None
__init__ = 3
margin = 'x'
""")


@st.composite
def signatures(draw: st.DrawFn, kind: str) -> str:
    """Parameters of any kind, with and without types and defaults; mostly ones that could be right."""
    if draw(st.integers(0, 2)):
        passed = draw(st.lists(st.sampled_from([*KINDS[kind].passed, "inplace=False"]), max_size=2, unique=True))
        right = [
            "eps: float = 0.1",
            "n: int = 3",
            "mode: Literal['a', 'b'] = 'a'",
            "root: Path | None = None",
            "many: list[int] = [1]",
        ]
        odd = f"x: {draw(st.sampled_from(TYPES))} = {draw(st.sampled_from(DEFAULTS))}"
        options = draw(st.lists(st.sampled_from([*right, odd]), max_size=2, unique=True))
        return ", ".join([*sorted(passed, key=lambda one: "=" in one), *(["*", *options] if options else [])])
    parts = []
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=draw(st.integers(0, 9)) > 0)):
        type_, default = draw(st.sampled_from(TYPES)), draw(st.sampled_from(DEFAULTS))
        parts.append(
            name + draw(st.sampled_from(["", f": {type_}", f": {type_} = {default}", f"={default}", ": int = 3"]))
        )
    if draw(st.integers(0, 2)):
        parts.insert(draw(st.integers(0, min(1, len(parts)))), "*")
        parts = parts[:-1] if parts[-1] == "*" else parts
    for extra in draw(
        st.lists(st.sampled_from(["/", "*args", "**kwargs", "*args: int", "**options: float"]), max_size=1)
    ):
        if extra.startswith("**"):
            parts.append(extra)
        elif "*" not in parts:
            parts.insert(draw(st.integers(0, len(parts))), extra)
    return ", ".join(parts)


def base_of(kind: str) -> str:
    """What a class of this kind stands on."""
    base = KINDS[kind].base.partition(":")[2]
    return f"ablate.{base}" if hasattr(ablate, base) and base else "nn.Module"


def declared_by(base: str) -> list[str]:
    """The methods that such a class must have."""
    return sorted(getattr(getattr(ablate, base.removeprefix("ablate."), object), "__abstractmethods__", []))


@st.composite
def classes(draw: st.DrawFn, kind: str, name: str) -> str:
    """A class that could be such a plugin, or anything else."""
    base = draw(st.sampled_from([base_of(kind)] * 4 + ["other"]))
    base = draw(st.sampled_from(BASES)) if base == "other" else base
    lines = [
        f"class {name}({base}):",
        draw(st.sampled_from(["    '''One line.'''", "", "    '''\n\n    '''", "    '''[red]\\x1b[31m'''"])),
    ]
    lines += [
        f"    {one}"
        for one in draw(st.lists(st.sampled_from(ATTRIBUTES), max_size=draw(st.sampled_from([0, 0, 1, 2]))))
    ]
    if draw(st.booleans()):
        lines.append(f"    def __init__(self, {draw(signatures(kind))}): {draw(st.sampled_from(BODIES))}")
    methods = draw(st.lists(st.sampled_from(METHODS), max_size=2, unique=True))
    for method in dict.fromkeys([*declared_by(base)[draw(st.sampled_from([0] * 9 + [1])) :], "forward", *methods]):
        decorator = draw(st.sampled_from(["", "", "", "    @property\n", "    @classmethod\n", "    @staticmethod\n"]))
        takes = "*a, **k" if draw(st.booleans()) else "self, x"
        body = draw(st.sampled_from(RETURNS))
        body = body if takes == "self, x" else body.replace("x", "a[-1]") if body[0] in "x(" else body
        lines.append(f"{decorator}    def {method}({takes}): return {body}")
    return "\n".join([*lines, "    pass"])


@st.composite
def plugin_files(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    """A file in `plugins/`, and overrides that choose what it may register."""
    kind, name = draw(st.sampled_from(list(KINDS))), draw(st.sampled_from(PLUGIN_NAMES))
    shown = draw(st.sampled_from([kind] * 40 + ["", "nothing", kind + "s"]))
    form, text = draw(st.integers(0, 5)), IMPORTS
    if form <= 2:
        text += f"@register({shown!r}, {name!r})\n{draw(classes(kind, 'Odd'))}\n"
    elif form == 3:
        returned = draw(st.sampled_from(RETURNS))
        text += f"@register({shown!r}, {name!r})\ndef odd({draw(signatures(kind))}):\n    return {returned}\n"
    elif form == 4:
        made = draw(
            st.sampled_from(
                [
                    "nn.ReLU",
                    "3",
                    "None",
                    "lambda: 0",
                    "print",
                    "int",
                    "nn.ReLU()",
                    "Colour",
                    "nn.Mish",
                    "object",
                    "torch",
                ]
            )
        )
        text += f"register({shown!r}, {name!r})({made})\n"
    else:
        again = draw(st.sampled_from(["odd", name]))
        text += f"@register({shown!r}, {name!r})\n{draw(classes(kind, 'Odd'))}\n"
        text += f"@register({kind!r}, {again!r})\n{draw(classes(kind, 'Other'))}\n"
    text = draw(st.sampled_from(ODD_HEADERS)) + "\n" + text if draw(st.integers(0, 19)) == 0 else text
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(texts) + text[place:]
    group = KINDS[kind].group
    chosen = [f"{group}=[{name}]" if KINDS[kind].several else f"{group}={name}"]
    options = draw(st.lists(st.sampled_from(NAMES), max_size=1))
    dotted = f"{group}.{name}" if KINDS[kind].several else group
    chosen += [
        f"{dotted}.{option}={draw(st.sampled_from(['1', '0.5', 'a', 'null', '[1]', '{a:1}']))}" for option in options
    ]
    encoding = draw(st.sampled_from(["utf-8"] * 40 + ["utf-16", "latin-1"]))
    return text.encode(encoding, "surrogatepass" if encoding != "latin-1" else "replace"), chosen if draw(
        st.integers(0, 5)
    ) else []
