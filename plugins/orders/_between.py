"""What stands between the weight layers of a branch: the papers' norm and activation, or what codes make of them."""

from typing import Literal

from torch import nn

Between = Literal["norm_act", "act_after_1x1", "nothing"]


def kinds_between(choice: Between, layer: nn.Module) -> tuple[str, ...]:
    """The kinds behind this weight layer, which is not the last of its branch."""
    if choice == "nothing":
        return ()
    pointwise = getattr(layer, "kernel_size", None) == (1, 1)
    return ("norm", "act") if choice == "norm_act" or pointwise else ("norm",)
