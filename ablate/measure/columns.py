"""Values of probes and measurements, as results take them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from torch import Tensor

from ablate.errors import unknown

DECIDES_NUMBERS = False


def finite(what: str, columns: Iterable[str], values: Mapping[str, float | Tensor]) -> dict[str, float | None]:
    """A value for each column; None where there is none, or where it is no finite number.

    Args:
        what: gives them, such as "probe gradient_norm".
        columns: that it has said it gives.
        values: that it gives.

    Raises:
        InputError: there is a value of a column that it did not name, by which no claim could ask for it.
    """
    names = list(columns)
    for name in values:
        if name not in names:
            raise unknown(f"column of {what}", name, names, "it names its columns in `columns`")
    numbers = {name: float(value) for name, value in values.items()}
    return {name: numbers[name] if math.isfinite(numbers.get(name, math.nan)) else None for name in names}
