"""The last layer with a scale in each residual branch F, marked where F is built: initialisations ask for it."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

_MARK = "ends_branch"


def mark_branch_end(modules: Iterable[nn.Module]) -> None:
    """Mark the last of F's layers that has a scale: with that at zero, and its bias too, F is zero.

    Args:
        modules: F's weight layers and the norms behind the last of them, in order: what a module does behind the marked
            one leaves zeros as they are.
    """
    scaled = [module for module in modules if getattr(module, "weight", None) is not None]
    if scaled:
        setattr(scaled[-1], _MARK, True)


def ends_branch(module: nn.Module) -> bool:
    """Whether a module is the last in its F that has a scale: a norm with a factor, or else a weight layer."""
    return bool(getattr(module, _MARK, False))
