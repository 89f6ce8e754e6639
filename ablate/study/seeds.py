"""The seeds of a study: so many at once, or ever more until its claims are decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.analysis.looks import LEAST_AT_A_LOOK
from ablate.config.overrides import Typed
from ablate.errors import InputError, unknown
from ablate.study.size import MOST_LOOKS, refuse_many_seeds

FORMS = "a number such as 6, a list of different seeds such as [0,1,2], or {start: 6, step: 3, most: 24}"


@dataclass(frozen=True)
class Seeds:
    """Which seeds a study trains, at most, and when it is looked at.

    Attributes:
        values: the seeds, in the order in which they are trained.
        looks: numbers of seeds, the last of them all; empty where all are trained before the first verdict.
    """

    values: list[int]
    looks: tuple[int, ...] = ()

    @property
    def first(self) -> list[int]:
        """The seeds of the first look, or all."""
        return self.up_to(self.looks[0]) if self.looks else self.values

    def up_to(self, number: int) -> list[int]:
        """The seeds of the look at so many."""
        return self.values[:number]


def seeds_of(section: Mapping[str, Any], seed: int, typed: Sequence[Typed], *, is_open: bool) -> Seeds:
    """The seeds of a study: the one typed, those the study lists, or as many as the scale says.

    Args:
        section: the study's section, with what the user typed.
        seed: the config's single seed.
        typed: the overrides from the command line.
        is_open: nothing is compared, so one seed is enough.

    Raises:
        InputError: what it lists are no seeds, or a plan of looks that makes no sense.
    """
    # By what was typed and not by the value: `seed=0`, the default, pins as well.
    named = {o.key for o in typed}
    if "seed" in named and any(key == "study.seeds" or key.startswith("study.seeds.") for key in named):
        raise InputError("seed=... pins the study to one seed, and study.seeds=... lists several; type one of the two")
    if "seed" in named or (is_open and section["seeds"] is None):
        return Seeds([seed])
    asked = section["default_seeds"] if section["seeds"] is None else section["seeds"]
    if isinstance(asked, Mapping):
        return _until_decided(asked)
    if _is_whole(asked):
        refuse_many_seeds("study.seeds", asked)
    seeds = list(range(asked)) if _is_whole(asked) else asked
    if isinstance(seeds, list) and seeds and all(map(_is_whole, seeds)) and len(set(seeds)) == len(seeds):
        return Seeds(list(seeds))
    raise InputError(f"study.seeds={asked}: give {FORMS}")


def _until_decided(asked: Mapping[str, Any]) -> Seeds:
    plan = {str(key): value for key, value in asked.items()}
    for key in plan:
        if key not in ("start", "step", "most"):
            raise unknown("key of study.seeds", key, ("start", "step", "most"))
    for key in ("start", "step", "most"):
        if not _is_whole(plan.get(key)) or plan[key] < 1:
            raise InputError(f"study.seeds.{key}={plan.get(key)}: must be a whole number of at least 1; give {FORMS}")
    refuse_many_seeds("study.seeds.most", plan["most"])
    if (looks := (plan["most"] - plan["start"]) // plan["step"]) > MOST_LOOKS:
        raise InputError(f"study.seeds.step={plan['step']}: makes {looks:,} looks; at most {MOST_LOOKS:,}")
    from ablate.analysis import planned_looks  # behind scipy, which a study with one look does without

    start, most = plan["start"], plan["most"]
    if start < LEAST_AT_A_LOOK:
        raise InputError(f"study.seeds.start={start}: a look needs at least {LEAST_AT_A_LOOK} seeds")
    if most <= start:
        raise InputError(f"study.seeds.most={most}: must be more than start={start}; for one look give a number")
    return Seeds(list(range(most)), planned_looks(start, plan["step"], most))


def _is_whole(number: Any) -> bool:
    # To Python `true` is an int, and `study.seeds=true` would mean one seed.
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0
