"""The Lightning callbacks that a config names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ablate import registry
from ablate.errors import InputError

if TYPE_CHECKING:
    import pytorch_lightning as pl


def build_callbacks(config: Mapping[str, Any]) -> list[pl.Callback]:
    """The callbacks of a frozen config, in the order in which they were chosen; none without a word of Lightning.

    Raises:
        InputError: an option makes no sense, one is no callback, or it is called at each step and steps are compiled.
    """
    nodes = config.get("callbacks") or {}
    if not nodes:
        return []
    import pytorch_lightning as pl

    from ablate.training.callbacks import needs_single_steps

    found: list[pl.Callback] = []
    for name, node in nodes.items():
        callback = registry.build("callback", node)
        if not isinstance(callback, pl.Callback):
            kind = type(callback).__name__
            raise InputError(f"callback '{name}' makes a {kind}, which is no pytorch_lightning.Callback")
        found.append(callback)
        if needs_single_steps([callback]) and config["trainer"]["compile"] != "none":
            raise InputError(
                f"callback '{name}' is called in each step, and trainer.compile={config['trainer']['compile']} takes "
                f"steps as a whole: set trainer.compile=none"
            )
    return found
