"""A precision that this machine computes slowly: said before hours are spent on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ablate.interfaces.engine import Slot
from ablate.system.cpu import has_bf16_units

# Measured on ResNet-20 at 32x32 on a CPU with AVX2 alone, two cores: 24 against 326 images per second.
SLOWER = "about 14 times slower than fp32 on ResNet-20"


def slow_precision(configs: Iterable[Mapping[str, Any]], slots: Sequence[Slot]) -> list[str]:
    """A line where cells are to be trained in bf16 on a CPU that has no units for it; none where that is not known.

    Args:
        configs: frozen, of the cells that are to be trained.
        slots: where they run, as far as the engine knows.
    """
    on_cpu = any(slot.device == "cpu" for slot in slots)
    if not on_cpu or has_bf16_units() is not False:
        return []
    cells = sum(config["trainer"]["precision"] == "bf16" for config in configs)
    if not cells:
        return []
    many = f"{cells} cell{'' if cells == 1 else 's'}"
    return [
        f"trainer.precision=bf16 for {many}, and this CPU has no units for bf16: it is {SLOWER} here; trainer=default "
        "takes fp32, trainer=auto what is measured to be fastest"
    ]
