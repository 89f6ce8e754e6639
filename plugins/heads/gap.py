"""Global average pooling and one linear layer."""

from torch import Tensor, nn

from ablate import Head, InputError, Parts, pixel_mean, register


@register("head", "gap")
class GlobalAveragePooling(Head):
    """The mean over height and width, then a linear layer (He et al. 2015, arXiv 1512.03385, section 3.3).

    Args:
        dropout: share of the means that is dropped in training.
    """

    def __init__(self, parts: Parts, in_channels: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise InputError(f"head.dropout is a share from 0 to below 1, not {dropout:g}")
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(in_channels, parts.classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.dropout(pixel_mean(x)))
