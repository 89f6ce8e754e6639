"""An optimiser's update without the bookkeeping around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor


def build_update(optimizer: torch.optim.Optimizer) -> Callable[[], object]:
    """What `optimizer.step()` does; for PyTorch's own fused SGD, by its kernel alone."""
    if _is_plain_sgd(optimizer):
        return FusedUpdate(optimizer)
    return optimizer.step


class FusedUpdate:
    """The update of fused SGD: what `step` gives, to the last bit.

    Its kernel updates a small network in less time than `step` takes to sort the parameters by device and type, and to
    look for hooks. And `step` fails where a part of a network gets its first gradient after others have theirs
    (PyTorch up to 2.13), as under stochastic depth.

    All of this can go under the first version of PyTorch whose fused `step` takes such a part, once that is the oldest
    one that ablate supports, and `python -m ablate bench --only overhead` says the same without it. A test fails under
    that version, and names this place.

    Args:
        optimizer: whose state and settings it takes at each call, and whose momenta it changes.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer

    @torch.no_grad()
    def __call__(self) -> None:
        """Update every parameter that has a gradient."""
        for group in self.optimizer.param_groups:
            parameters = [one for one in group["params"] if one.grad is not None]
            if group["momentum"] == 0:
                _kernel(group, parameters, [])
                continue
            momenta = self._momenta(parameters)
            if all(momentum is not None for momentum in momenta):
                _kernel(group, parameters, momenta)
            else:
                self._begin(group, parameters)

    def _momenta(self, parameters: list[Tensor]) -> list[Any]:
        state = self.optimizer.state
        return [state[one].get("momentum_buffer") for one in parameters]

    def _begin(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        """Update parameters of which some have their first gradient, and no momentum yet."""
        state = self.optimizer.state
        begun = [one for one in parameters if state[one].get("momentum_buffer") is not None]
        _kernel(group, begun, self._momenta(begun))
        fresh = [one for one in parameters if state[one].get("momentum_buffer") is None]
        # Not cleared: the kernel's first step sets momentum to the gradient (not momentum * 0 + (1 - dampening) *
        # gradient, the rule of later steps), as `torch.optim.SGD` does.
        for one in fresh:
            state[one]["momentum_buffer"] = torch.empty_like(cast(Tensor, one.grad))
        _kernel(group, fresh, self._momenta(fresh), is_first_step=True)


def _kernel(
    group: dict[str, Any], parameters: list[Tensor], momenta: list[Tensor], *, is_first_step: bool = False
) -> None:
    if not parameters:
        return
    torch._fused_sgd_(
        parameters,
        cast(list[Tensor], [one.grad for one in parameters]),
        momenta,
        weight_decay=group["weight_decay"],
        momentum=group["momentum"],
        lr=group["lr"],
        dampening=group["dampening"],
        nesterov=group["nesterov"],
        maximize=group["maximize"],
        is_first_step=is_first_step,
    )


def _is_plain_sgd(optimizer: torch.optim.Optimizer) -> bool:
    """Whether all its parameters are alike to the fused kernel, and nobody has asked to be told of its steps."""
    if type(optimizer) is not torch.optim.SGD or not all(group["fused"] for group in optimizer.param_groups):
        return False
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    hooked = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
    return len({(one.device, one.dtype) for one in parameters}) == 1 and not hooked
