"""Strategies of hypothesis for command lines and study files: right ones, and every kind of damage to them."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml
from hypothesis import strategies as st

from ablate import compose, registry
from ablate.config.files import config_names
from ablate.config.overrides import leaves
from ablate.registry.kinds import KINDS

SMALL = ["depth=8", "width=0.25"]  # stands before what is generated, so that most plans are small
FLAGS = ["--json", "-m", "--multirun", "--cfg", "job", "--hydra", "--help=x", "-x", "--", "-", "--config-name", "-cn=a"]


def words(text: str) -> list[str]:
    """What stands between blanks."""
    return text.split()


def lines(text: str) -> list[str]:
    """What stands on lines of their own."""
    return text.strip("\n").split("\n")


NUMBERS = words("""
0 1 -1 2 3 8 14 20 0.1 0.5 1.5 -0.0 1e-6 1e3 1e400 -1e400 nan inf -inf .5 5. 1_000 0x10 007 99999 1000000000
9007199254740993 18446744073709551616 1e-400 ٣
""")
ODD = [
    *("", " ", "null", "true", "false", "yes", "''", '""', "' '", "a b", "a=b", "a,b", "1,2", "[", "]", "{", "}", "'a"),
    *("[]", "{}", "[1,2]", "[a,b]", "[[1],[2]]", "[null]", "[1,a]", "{a:1}", "{a:{b:c}}", "{1:2}", "{a:}", "[,]", "\\"),
    *("${seed}", "${depth}", "${nothing}", "${a.b}", "${oc.env:HOME}", "${hydra:job.name}", "${now:%Y}", "${", "$"),
    *("${study}", "${study.name}", "${.a}", "${..a}", "${oc.decode:x}", "${oc.create:{a:1}}", "${oc.select:depth}"),
    *("@", "a@b", "~/x", "/", ".", "..", "../..", "a/b", "/dev/null", "*", "?", "<b>", "[red]", "%s", "{0}", "!!int 1"),
    *("range(1,3)", "choice(1,2)", "glob(*)", "shuffle(1,2)", "sort(2,1)", "tag(t,1)", "int(3.5)", "int(a)", "str(1)"),
    *("float(nan)", "bool(x)", "cast", "json_str({a:1})", "extend_list(1)", "interval(0,1)", "f(x)", "post", "None"),
    *("é", "名前", "🙂", "a\u202eb", "\x1b[31m", "a\nb", "\t", "\r", "\x07", "\udcff", "x" * 300, "[" * 60, "9" * 5000),
]
texts = st.one_of(st.sampled_from(ODD), st.text(max_size=8), st.text("ab01.,=[]{}'\"~+@$:* -", max_size=8))


@cache
def keys() -> list[str]:
    """All keys that a config of the defaults has, and the options of all plugins."""
    content: Any = compose([])
    options = [
        f"{KINDS[entry.kind].group}{f'.{entry.name}' if KINDS[entry.kind].several else ''}.{parameter.name}"
        for entry in registry.entries()
        for parameter in entry.parameters
    ]
    return sorted({*leaves(content), *content, *options, "exp", "arch", "trainer", "scale", "hydra.job.name"})


@cache
def choices() -> list[str]:
    """Every `group=name`."""
    files = [
        f"{group}={name}" for group in ("arch", "scale", "trainer", "norm", "optim") for name in config_names(group)
    ]
    return sorted([*files, *(f"{KINDS[entry.kind].group}={entry.name}" for entry in registry.entries())])


@st.composite
def mistyped(draw: st.DrawFn, of: st.SearchStrategy[str]) -> str:
    """A word with a letter too few, too many, or another; or with a part before or behind it."""
    word = draw(of)
    place = draw(st.integers(0, len(word)))
    with_ = draw(st.sampled_from(["", "x", ".", "..", ".x", "_", " ", "=", "/", "@", "'", "é", "\x1b", "0", "."]))
    return word[:place] + with_ + word[place + draw(st.integers(0, 1)) :]


@st.composite
def values(draw: st.DrawFn) -> str:
    """What stands behind the `=`: of the right type or of any other."""
    one = draw(
        st.one_of(
            st.sampled_from(NUMBERS),
            st.sampled_from(ODD),
            st.sampled_from(choices()).map(lambda text: text.split("=")[1]),
        )
    )
    return draw(st.sampled_from([*["{}"] * 9, "[{}]", "'{}'", "{a:{}}", "[{},{}]"])).replace("{}", one)


ARMS = ["a", "b", "a", "b", "post", "pre", "a.b", "*", "", "a|b", "a@b", " a", "null", "1", "base", "é", "x" * 300]


@st.composite
def of_study(draw: st.DrawFn) -> str:
    """An override of the study's section."""
    arm, choice = (
        draw(st.sampled_from(ARMS)),
        draw(
            st.sampled_from(choices()) | st.sampled_from(["order=pre", "act=gelu", "depth=14", "x", "", "norm.eps=1"])
        ),
    )
    factor = draw(st.sampled_from(["depth", "width", "seed", "norm", "norm.eps", "optim.lr", "arch", "x", "trainer"]))
    value = draw(values())
    return draw(st.sampled_from(["", "", "+", "++", "~"])) + draw(
        st.sampled_from([
            f"study.arms.{arm}=[{choice}]", f"study.arms.{arm}=[order=pre]", f"study.arms={{{arm}:[{choice}]}}",
            f"study.arms.{arm}.{draw(st.sampled_from(['overrides', 'baseline', 'match', 'knob', 'changes']))}={value}",
            f"study.grid.{factor}=[{value},{draw(values())}]", f"study.grid.{factor}={value}",
            f"study.zip.{factor}=[{value}]", f"study.exclude=[{{arm:{arm},{factor}:{value}}}]",
            f"study.seeds={value}", f"+study.seeds.start={value}", f"study.name={value}", f"study.keep={value}",
            f"study.claims=[{{id:c,contrast:{{{arm}:1,post:-1}},expect:positive,margin:{value}}}]",
            f"study.claims.0.margin={value}", f"study.scales.tiny.seeds={value}", f"study.baseline={arm}",
            f"study.leave_one_out.{arm}=[{choice}]", f"study.add_one_in={{{arm}:{value}}}",
            f"study.scales.tiny.grid.{factor}=[{value}]", f"study.{draw(texts)}={value}",
            f"study.objective={value}", f"study.objective={{metric:test/error,cells:{value}}}",
        ])
    )  # fmt: skip


@st.composite
def overrides(draw: st.DrawFn) -> str:
    """One word of a command line."""
    kind = draw(st.integers(0, 19))
    if kind <= 3:
        return draw(st.sampled_from(choices()))
    if kind == 4:
        return draw(mistyped(st.sampled_from(choices())))
    if kind <= 8:
        return draw(of_study())
    if kind == 9:
        return draw(st.sampled_from(FLAGS) | texts)
    known = st.sampled_from(keys())
    key = draw(known if kind < 18 else mistyped(known))
    sign = draw(st.sampled_from([*[""] * 8, "+", "++", "~", "+++", "-"]))
    return sign + key + draw(st.sampled_from([*["="] * 9, "", ":", "=="])) + draw(values())


def command_lines() -> st.SearchStrategy[list[str]]:
    """What stands behind `plan`."""
    return st.lists(overrides(), min_size=1, max_size=4)


def written() -> st.SearchStrategy[Any]:
    """Any value that YAML can hold."""
    plain = (
        st.none() | st.booleans() | st.integers() | st.integers(-3, 12) | st.floats() | texts | st.sampled_from(NUMBERS)
    )
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.integers(-1, 3), inner, max_size=3),
        max_leaves=5,
    )


@st.composite
def sections(draw: st.DrawFn) -> dict[str, Any]:
    """The section of a study that could be right."""
    names = draw(st.lists(st.sampled_from(["a", "b", "c", "a.b", "post"]), min_size=1, max_size=3, unique=True))
    chosen = [
        [],
        ["order=pre"],
        ["shortcut=none"],
        ["norm=layer"],
        ["act=gelu", "order=pre"],
        ["depth=14"],
        ["optim.lr=0.2"],
    ]
    arms: dict[str, Any] = {name: draw(st.sampled_from(chosen)) for name in names}
    forms = [
        {"overrides": ["order=pre"], "baseline": names[0]},
        {"overrides": ["shortcut=none"], "match": "params"},
        {"overrides": ["width=0.5"], "match": "flops", "knob": "width"},
        {"overrides": ["order=pre"], "changes": "x"},
    ]
    if draw(st.booleans()):
        arms[names[-1]] = draw(st.sampled_from(forms))
    factors = {
        "depth": [8, 14],
        "norm.eps": [1e-5, 1e-3],
        "optim.lr": [0.1],
        "arch": ["resnet18"],
        "act": ["relu", "gelu"],
    }
    varied = draw(st.lists(st.sampled_from(list(factors)), max_size=2, unique=True))
    zipped = [name for name in varied if draw(st.booleans())]
    places = [*names, *(f"{name}@{one}={factors[one][0]}" for name in names for one in varied), "*", "nobody", "a@x=1"]
    claim = {
        "id": "c", "says": "so",
        "metric": draw(st.sampled_from(["train/loss", "test/error", "params", "x", "probe/x"])),
        "contrast": {draw(st.sampled_from(places)): 1, draw(st.sampled_from(places)): -1},
        "expect": draw(st.sampled_from(["positive", "negative", "zero"])), "margin": 0.1,
    }  # fmt: skip
    more = [{"trend": "depth"}, {"threshold": 0.5}, {"scale": "ratio"}, {"paper": {"value": "5 %", "where": "Table 1"}}]
    part = {"aux": ["act=gelu"], "order": {"with": ["order=pre"], "without": ["order=post"]}}
    optional: dict[str, Any] = {
        "arms": arms, "claims": [claim | draw(st.sampled_from([{}, *more]))],
        "grid": {name: factors[name] for name in varied if name not in zipped},
        "zip": {name: factors[name] for name in zipped},
        "exclude": [draw(st.sampled_from([{"arm": names[0]}, {"depth": 8}, {"arm": names[-1], "depth": 14}]))],
        "seeds": draw(st.sampled_from([1, 2, [0, 3], {"start": 2, "step": 2, "most": 6}, {"start": 2}, None, "2"])),
        "baseline": draw(st.sampled_from(names)), "leave_one_out": part, "add_one_in": part,
        "keep": draw(st.sampled_from(["weights", ["weights"], []])), "strict": True, "question": "why?",
        "scales": {"tiny": {"seeds": 1, "overrides": ["trainer.epochs=1"], "claims": {"c": {"margin": 0.2}}}},
    }  # fmt: skip
    kept = draw(st.lists(st.sampled_from(list(optional)), max_size=6, unique=True))
    return {
        "name": "mine",
        **{key: optional[key] for key in ["arms", *kept] if key != "arms" or draw(st.integers(0, 5))},
    }


@st.composite
def damaged(draw: st.DrawFn, content: Any) -> Any:
    """The same with one thing in it replaced, taken away, renamed, or added."""
    if not isinstance(content, dict | list) or not content or draw(st.integers(0, 3)) == 0:
        return draw(written())
    place = draw(st.sampled_from(list(content) if isinstance(content, dict) else list(range(len(content)))))
    how = draw(st.integers(0, 5))
    if isinstance(content, list):
        changed: list[Any] = [*content]
        changed[place : place + (how != 4)] = [] if how == 0 else [draw(damaged(content[place]))]
        return changed
    if how == 0:
        return {key: value for key, value in content.items() if key != place}
    if how == 1:
        new = draw(
            st.one_of(mistyped(st.just(str(place))), texts, st.integers(-1, 2), st.none(), st.booleans(), st.floats())
        )
        return {new if key == place else key: value for key, value in content.items()}
    if how == 2:
        return {**content, draw(texts): draw(written())}
    return {**content, place: draw(damaged(content[place]))}


@st.composite
def study_files(draw: st.DrawFn) -> bytes:
    """The file of a study: right, damaged, or any YAML, text or bytes."""
    kind = draw(st.integers(0, 9))
    if kind == 9:
        return draw(
            st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass"))
        )
    content: Any = {"depth": 8, "width": 0.25, "study": draw(sections())}
    for key in draw(st.lists(st.sampled_from(["depth", "defaults", "norm", "trainer", "data", "scale"]), max_size=2)):
        some: Any = {
            "depth": 8,
            "norm": {"eps": 0.1},
            "trainer": {"epochs": 2},
            "data": {"batch_size": 100},
            "scale": "tiny",
        }
        some["defaults"] = draw(
            st.sampled_from(
                [
                    *(
                        [{"override /order": "pre"}],
                        ["_self_"],
                        [{"/norm": "group"}],
                        ["x"],
                        ["mine"],
                        [[]],
                        [3],
                        {"a": 1},
                        None,
                        "x",
                    ),
                    *(
                        [{"/norm": ["group"]}],
                        [{"norm": None}],
                        ["degradation", "_self_"],
                        [{"override /exp": "x"}],
                        ["/norm/group"],
                    ),
                    *(
                        [{"/tracker": ["jsonl"]}],
                        [{"override /order": "${act}"}],
                        [{"a": 1, "b": 2}],
                        ["optional x"],
                        [""],
                    ),
                ]
            )
        )
        content[key] = some[key]
    if kind == 8:
        content = draw(written())
    for _ in range(draw(st.sampled_from([0, 1, 1, 2]))):
        content = draw(damaged(content))
    header = draw(st.sampled_from(["# @package _global_\n"] * 12 + ["", "# @package x\n", "# @package\n", "\ufeff"]))
    text = header + yaml.safe_dump(content, sort_keys=False, allow_unicode=draw(st.booleans()))
    if draw(st.integers(0, 7)) == 0:  # YAML that is broken, or of other meaning
        place = draw(st.integers(0, len(text)))
        text = (
            text[:place]
            + draw(texts | st.sampled_from(["&a ", "*a", "<<: ", "!!python/object:os.system ", "\t", "? "]))
            + text[place:]
        )
    encoding = draw(st.sampled_from(["utf-8"] * 9 + ["utf-16", "latin-1"]))
    return text.encode(encoding, "surrogatepass" if encoding != "latin-1" else "replace")
