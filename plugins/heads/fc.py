"""Dense layers."""

from typing import ClassVar

from torch import Tensor, nn

from ablate import Head, Parts, register

from ._dense import DropoutAt, dense_layers

HIDDEN = [4096, 4096]


@register("head", "fc")
class FullyConnected(Head):
    """Dense layers on all pixels of the maps, with dropout (Krizhevsky et al. 2012, section 4.2; arXiv 1409.1556).

    Args:
        hidden: units of the layers before the classifier, times the width factor.
        grid: height and width to which maps are averaged first: 7 in VGG and 6 in AlexNet, where they have just that
            size. LeNet, AlexNet and VGG say how small their maps of small images are, and the grid is no larger. null
            takes the maps of a residual network as they are (Keras' Flatten).
        dropout: share of values that is dropped in training.
        dropout_at: behind each hidden layer, its "outputs" (the papers), or before it, its "inputs" (torchvision's
            AlexNet).
        last_act: activation behind the last hidden layer, F6 of LeNet; null for that of the network.
    """

    before: ClassVar[dict[str, None]] = {"last_act": None}

    def __init__(
        self,
        parts: Parts,
        in_channels: int,
        *,
        hidden: list[int] = HIDDEN,
        grid: int | None = 7,
        dropout: float = 0.5,
        dropout_at: DropoutAt = "outputs",
        last_act: str | None = None,
    ) -> None:
        super().__init__()
        units = [parts.scaled(count) for count in hidden]
        self.hidden, features = dense_layers(parts, in_channels, units, grid, dropout, dropout_at, last_act=last_act)
        self.linear = nn.Linear(features, parts.classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.hidden(x))
