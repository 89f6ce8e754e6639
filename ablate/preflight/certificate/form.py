"""A certificate as values, and as a file of the study. No torch here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ablate.errors import InputError
from ablate.system.files import read_json, write_json
from ablate.system.reading import BrokenFile
from ablate.system.schema import checked

FILE = "certificates.json"
ANEW = "the next run of the study makes it anew"

SAME = "same"
DIFFER = "differ"
CANNOT_TELL = "cannot tell"
NOT_COMPARED = "not compared"


@dataclass(frozen=True)
class Evidence:
    """What was found out about two configs and the code that runs them.

    Attributes:
        params: trainable parameters of the baseline and of the arm.
        flops: multiply-adds of a forward pass of one image, of the baseline and of the arm.
        modules: how the modules differ, as short texts; empty where they do not.
        outputs: with shared weights, `same`, `differ`, `cannot tell` (values are not finite), or `not compared`.
        differences: the largest relative difference in each of: training outputs, loss, gradients, running statistics,
            evaluation outputs; None where the values of one network alone are finite.
        note: why the outputs were not compared, or cannot tell.
        recipe: the parts of the training that differ in effect, such as `optimiser`.
        unchecked: what differs in the config and nothing here can try out, with the reason.
    """

    params: tuple[int, int]
    flops: tuple[int, int]
    modules: list[str] = field(default_factory=list)
    outputs: str = NOT_COMPARED
    differences: dict[str, float | None] = field(default_factory=dict)
    note: str = ""
    recipe: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    @property
    def largest(self) -> float:
        """The largest relative difference; infinite where one network alone has finite values."""
        return max((math.inf if value is None else value for value in self.differences.values()), default=0.0)

    @property
    def is_no_op(self) -> bool:
        """Whether the arm is shown to change nothing: not its size, not what it computes, not how it is trained."""
        same_size = self.params[0] == self.params[1] and self.flops[0] == self.flops[1]
        return same_size and self.outputs == SAME and not self.recipe and not self.unchecked


@dataclass(frozen=True)
class Certificate:
    """One arm against its baseline at one grid point.

    Attributes:
        arm: its name.
        baseline: the name of the arm that it is compared with.
        point: the grid point: factor -> value.
        key: a hash of the two configs, and of the code that runs and compares them.
        config: what differs and decides the outcome: dotted key -> [baseline's value, arm's value], None for absent.
        factors: what was varied: a group where another plugin was chosen, else a dotted key.
        undeclared: those of `factors` that the arm's overrides do not name.
        declared: what the arm's overrides name.
        evidence: what was found out.
        seeds_from: where the arm's own random streams begin; None where it takes the study's seeds.
    """

    arm: str
    baseline: str
    point: dict[str, Any]
    key: str
    config: dict[str, list[Any]]
    factors: list[str]
    undeclared: list[str]
    declared: list[str]
    evidence: Evidence
    seeds_from: int | None = None

    @property
    def place(self) -> str:
        """The grid point as text, such as `depth=20`; empty without a grid."""
        return " ".join(f"{factor}={value}" for factor, value in self.point.items())

    @property
    def params_change(self) -> float:
        """The arm's parameters over the baseline's, minus 1."""
        return _change(*self.evidence.params)

    @property
    def flops_change(self) -> float:
        """The arm's multiply-adds over the baseline's, minus 1."""
        return _change(*self.evidence.flops)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Certificate:
        """From `to_dict()`, also by way of a file; keys that are not known here are left out.

        Raises:
            InputError: a value is missing, or is of another type.
        """
        return checked(plain, cls)


def write_certificates(folder: Path, certificates: Iterable[Certificate]) -> None:
    """Write `certificates.json` of a study's folder."""
    write_json(folder / FILE, {"certificates": [certificate.to_dict() for certificate in certificates]})


def load_certificates(folder: str | Path) -> list[Certificate]:
    """The certificates in a study's folder; none where the study compares nothing or was run before there were any.

    Raises:
        BrokenFile: the file is not whole; a run of the study makes it anew.
        InputError: it cannot be read.
    """
    path = Path(folder) / FILE
    if not path.exists():
        return []
    plain = read_json(path, again=ANEW, certificates=list)["certificates"]
    try:
        return [Certificate.of(one) for one in plain]
    except InputError as error:
        raise BrokenFile(f"{path} is not whole ({error}); {ANEW}") from error


def _change(before: int, after: int) -> float:
    if before == after:
        return 0.0
    return after / before - 1 if before else float(after)
