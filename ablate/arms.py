"""Arms: named variants, each with what it declares to change against its baseline."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Arm:
    """One named variant of a study.

    Attributes:
        name: of the arm.
        overrides: Hydra overrides against the base config.
        baseline: the arm that it is compared with; None where it is the baseline itself.
        changes: the keys that it declares to change against its baseline, such as `order`.
    """

    name: str
    overrides: list[str]
    baseline: str | None = None
    changes: list[str] = field(default_factory=list)
