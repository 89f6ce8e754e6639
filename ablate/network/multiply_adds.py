"""Multiply-adds of a network: of its operations, or as a module says where they would show something else."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Any

from torch import nn
from torch.utils.flop_counter import FlopCounterMode


class MultiplyAdds:
    """Counts while a model runs inside this context: a multiplication and its addition are one of papers' "FLOPs".

    Convolutions and matrix products count, grouped ones by what each group sees; norms, activations, pooling and
    additions do not. A module with a method `multiply_adds` is taken at its word: `ablate.interfaces.parts.Counted`.

    Args:
        model: whose modules may say so.
    """

    def __init__(self, model: nn.Module) -> None:
        self._counter = FlopCounterMode(display=False)
        self._declaring = [module for module in model.modules() if hasattr(module, "multiply_adds")]
        self._started: list[int] = []
        self._corrected = 0
        self._entered = ExitStack()

    @property
    def total(self) -> int:
        """By now."""
        # The counter takes a multiplication and an addition as two operations.
        return int(self._counter.get_total_flops()) // 2 + self._corrected

    def __enter__(self) -> MultiplyAdds:
        for module in self._declaring:
            self._entered.enter_context(module.register_forward_pre_hook(self._before))
            self._entered.enter_context(module.register_forward_hook(self._after))
        self._entered.enter_context(self._counter)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.__exit__(kind, error, trace)

    def _before(self, module: Any, inputs: Any) -> None:
        self._started.append(self.total)

    def _after(self, module: Any, inputs: Any, output: Any) -> None:
        # In place of all that was counted inside of it, modules that speak for themselves included.
        counted = self.total - self._started.pop()
        self._corrected += int(module.multiply_adds(*inputs, output)) - counted
