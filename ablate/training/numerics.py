"""How a step is computed: precision, memory format, compilation. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ablate.errors import InputError, unknown

PRECISIONS = ("fp32", "bf16")
COMPILES = ("none", "inductor", "cudagraphs")
AUTO = "auto"  # to be picked by measurement, once for the whole study


@dataclass(frozen=True)
class Numerics:
    """The options of `trainer` that say how a step is computed, and nothing of what is computed.

    Attributes:
        precision: `fp32`, or `bf16` for matrix products and convolutions under autocast.
        channels_last: memory format of images and weights.
        compile: `none` (eager), `inductor` or `cudagraphs`.
    """

    precision: str = "fp32"
    channels_last: bool = True
    compile: str = "none"

    @classmethod
    def of(cls, trainer: Mapping[str, Any]) -> Numerics:
        """Of a frozen config's `trainer`."""
        return cls(trainer["precision"], trainer["channels_last"], trainer["compile"])

    def to_dict(self) -> dict[str, Any]:
        """As the config has it."""
        return asdict(self)

    def __str__(self) -> str:
        form = "channels_last" if self.channels_last else "contiguous"
        return ", ".join([self.precision, form, "eager" if self.compile == "none" else self.compile])


KEYS = tuple(Numerics().to_dict())


def check_numerics(trainer: Mapping[str, Any]) -> None:
    """Refuse values that these options do not have; `auto` is one that a frozen config must not have any more.

    Raises:
        InputError: names the option and what it can be.
    """
    for name, choices in {"precision": PRECISIONS, "compile": COMPILES}.items():
        if trainer[name] not in choices:
            raise unknown(f"trainer.{name}", str(trainer[name]), [*choices, AUTO])
    if not isinstance(trainer["channels_last"], bool):
        raise unknown("trainer.channels_last", str(trainer["channels_last"]), ["true", "false", AUTO])
    if trainer["compile"] != "none" and trainer["checkpoint_blocks"]:
        raise InputError(
            f"trainer.compile={trainer['compile']}: a compiled step keeps what it needs; set checkpoint_blocks=false"
        )
