"""Reading what the user typed."""

from __future__ import annotations

from typing import Any

import pytest

from ablate import InputError
from ablate.config.overrides import leaves, parse, quote_arms


@pytest.mark.parametrize(
    ("text", "key", "value", "deletes"),
    [
        ("depth=56", "depth", 56, False),
        ("+exp=mine", "exp", "mine", False),
        ("++trainer.epochs=3", "trainer.epochs", 3, False),
        ("~study.arms.post", "study.arms.post", None, True),
        ("shortcut='projection'", "shortcut", "projection", False),
        ("study.seeds=[0,1,7]", "study.seeds", [0, 1, 7], False),
        ("trainer.epochs_to=['train/loss<0.5']", "trainer.epochs_to", ["train/loss<0.5"], False),
        ("study.question=", "study.question", "", False),
        ("hydra/launcher=basic", "hydra/launcher", "basic", False),
        ("runs=${oc.env:HOME}", "runs", "${oc.env:HOME}", False),
        ("shortcut={norm: false}", "shortcut", {"norm": False}, False),
    ],
)
def test_an_override_has_a_key_and_a_value(text: str, key: str, value: Any, deletes: bool) -> None:
    (typed,) = parse([text])
    assert (typed.text, typed.key, typed.value, typed.deletes) == (text, key, value, deletes)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("depth", "cannot read 'depth': an override has the form key=value"),
        ("=3", "cannot read '=3': no key in front of '='"),
        ("trainer.epochs_to=[train/loss<0.5]", "needs quotes, such as key='\"a<b\"'"),
        ("depth=(3", "needs quotes"),
        ("depth==3", "needs quotes"),
        ("seed=0,1", "'seed=0,1' names several values: sweep over them with -m, or write a list as [a,b]"),
        ("depth=range(8,20)", "sweep over them with -m"),
        ("shortcut=null", "'shortcut=null': shortcut is chosen by a name; python -m ablate list shortcut shows them"),
        ("order=[post]", "order is chosen by a name"),
        ("scale=null", "scale is chosen by a name"),
    ],
)
def test_what_is_no_override_is_one_line(text: str, reason: str) -> None:
    with pytest.raises(InputError) as error:
        parse(["depth=8", text])
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_a_mapping_names_each_of_its_keys() -> None:
    (typed,) = parse(["trainer={epochs: 3, eval_every: 1}"])
    assert typed.leaves == {"trainer.epochs": 3, "trainer.eval_every": 1}
    assert leaves({"a": {"b": {"c": 1}, "d": {}}, "e": [2]}) == {"a.b.c": 1, "a.d": {}, "e": [2]}


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("+study.arms.extra=[order=pre]", ["order=pre"]),
        ("study.arms.extra=[order=pre, shortcut.norm=false]", ["order=pre", "shortcut.norm=false"]),
        ("++study.arms.extra=[backbone.strides=[1,2,2],order=pre]", ["backbone.strides=[1,2,2]", "order=pre"]),
        ("study.arms.extra=[trainer={epochs:3,eval_every:1}]", ["trainer={epochs:3,eval_every:1}"]),
        ("study.arms.extra=['order=pre',\"act=elu\"]", ["order=pre", "act=elu"]),
        ('study.arms.extra=[study.question="a,b"]', ['study.question="a,b"']),
        ("study.arms.extra=[]", []),
    ],
)
def test_an_arm_is_typed_as_a_file_has_it(typed: str, read: list[str]) -> None:
    """Hydra's grammar knows no `=` inside a list."""
    (override,) = parse([quote_arms(typed)])
    assert override.key == "study.arms.extra"
    assert override.value == read


@pytest.mark.parametrize("text", ["depth=8", "~study.arms.post", "study.arms.post=order", "study.seeds=[0,1]", "list"])
def test_nothing_but_an_arm_is_quoted(text: str) -> None:
    assert quote_arms(text) == text
