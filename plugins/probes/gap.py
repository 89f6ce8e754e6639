"""How much worse a network does on what it was not trained on."""

from collections.abc import Mapping
from typing import Any

from ablate import EpochLook, Probe, register


@register("probe", "gap")
class Gap(Probe):
    """Test minus training error and loss, both in eval mode over whole splits, after each measured epoch.

    What a regulariser is to narrow (Srivastava et al. 2014, JMLR 15, "Dropout"); a gap says nothing of a network that
    does not fit its training split either. Columns: the last `error` and `loss`, as fractions and nats; the table has
    a row for each measured epoch.
    """

    columns = ("error", "loss")

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def epoch_end(self, look: EpochLook) -> None:
        """A row, where the epoch was measured."""
        if "test/error" not in look.row:
            return
        self._last = {name: look.row[f"test/{name}"] - look.row[f"train/{name}"] for name in self.columns}
        look.record(**self._last)

    def values(self) -> dict[str, float]:
        """Of the last measured epoch."""
        return self._last

    def state(self) -> dict[str, Any]:
        return self._last

    def load(self, state: Mapping[str, Any]) -> None:
        self._last = dict(state)
