"""Which seeds a study trains, from what it says and what the user types."""

from __future__ import annotations

from typing import Any

import pytest

from ablate.config.overrides import parse
from ablate.errors import InputError
from ablate.study.seeds import Seeds, seeds_of


def seeds(asked: Any, *typed: str, default: int = 6, is_open: bool = False) -> Seeds:
    return seeds_of({"seeds": asked, "default_seeds": default}, 4, parse(typed), is_open=is_open)


def test_seeds_are_a_number_a_list_those_of_the_scale_or_the_one_typed() -> None:
    assert seeds(None) == Seeds([0, 1, 2, 3, 4, 5])
    assert seeds(2) == Seeds([0, 1])
    assert seeds([5, 3]) == Seeds([5, 3])
    assert seeds(2, "seed=4") == Seeds([4])
    assert seeds(None, is_open=True) == Seeds([4])


def test_seeds_until_decided_are_looked_at_from_start_to_most() -> None:
    found = seeds({"start": 6, "step": 4, "most": 12})
    assert found == Seeds(list(range(12)), (6, 10, 12))
    assert found.first == [0, 1, 2, 3, 4, 5]
    assert found.up_to(10) == list(range(10))


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (0, "study.seeds=0: give a number such as 6, a list"),
        ([1, 1], r"study.seeds=\[1, 1\]: give"),
        ("many", "study.seeds=many: give"),
        ({"start": 6, "stop": 9}, "unknown key of study.seeds 'stop'; did you mean 'st"),
        ({"start": 6, "step": 3}, "study.seeds.most=None: must be a whole number"),
        ({"start": 6, "step": 0, "most": 9}, "study.seeds.step=0: must be a whole number of at least 1"),
        ({"start": 2, "step": 1, "most": 9}, "study.seeds.start=2: a look needs at least 3 seeds"),
        ({"start": 6, "step": 3, "most": 6}, "study.seeds.most=6: must be more than start=6; for one look"),
    ],
)
def test_what_makes_no_seeds_is_refused_with_the_forms_that_do(asked: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        seeds(asked)


@pytest.mark.parametrize("key", ["study.seeds=3", "study.seeds.most=9"])
def test_one_seed_and_several_cannot_both_be_typed(key: str) -> None:
    with pytest.raises(InputError, match="type one of the two"):
        seeds(3, "seed=1", key)
