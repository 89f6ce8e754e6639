"""Distances to a fixed code for each class."""

from hashlib import shake_128
from typing import ClassVar

import torch
from torch import Tensor

from ablate import Head, Parts, register

from ._dense import dense_layers

HIDDEN = [120]
CODE = 84


@register("head", "rbf")
class RadialBasis(Head):
    """Dense layers, then minus the squared distances to fixed codes of -1 and 1 (LeCun et al. 1998, section II.B).

    The paper's codes are drawings of the characters in 7x12 pixels; these are the bits of a hash of the class's number,
    for any number of classes. The code has no trainable parameters, and the width factor leaves its length alone.

    Args:
        hidden: units of the layers before F6, whose 84 units are compared with the code; times the width factor.
        grid: height and width to which maps are averaged first, as in head=fc.
        last_act: activation behind F6; null for that of the network.
    """

    before: ClassVar[dict[str, None]] = {"last_act": None}

    code: Tensor

    def __init__(
        self,
        parts: Parts,
        in_channels: int,
        *,
        hidden: list[int] = HIDDEN,
        grid: int = 5,
        last_act: str | None = None,
    ) -> None:
        super().__init__()
        units = [*(parts.scaled(count) for count in hidden), CODE]
        self.hidden, _ = dense_layers(parts, in_channels, units, grid, 0.0, "outputs", last_act=last_act)
        # Not in the state_dict: it follows from the number of classes.
        self.register_buffer("code", torch.tensor([_code(number) for number in range(parts.classes)]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.hidden(x)
        return 2 * y @ self.code.T - y.square().sum(1, keepdim=True) - self.code.shape[1]


def _code(number: int) -> list[float]:
    """The lowest 84 bits of SHAKE-128 of the class's number in decimal digits, as -1 and 1, lowest first."""
    digest = int.from_bytes(shake_128(str(number).encode()).digest(-(-CODE // 8)), "big")
    return [1.0 if digest >> bit & 1 else -1.0 for bit in range(CODE)]
