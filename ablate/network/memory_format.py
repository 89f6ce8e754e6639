"""Operations on feature maps that keep the maps' memory format on the way back, and one that PyTorch gets wrong."""

from __future__ import annotations

import torch
from torch import Tensor, nn

OVERRUN_BELOW = 16  # channels: what the AVX-512 kernel handles at a time; that for AVX2 has 8


def subsampled(x: Tensor, stride: int | tuple[int, int]) -> Tensor:
    """Every stride-th pixel of x, from the first: (N, C, H, W) -> (N, C, ceil(H / stride), ceil(W / stride)).

    The gradient has x's memory format. That of plain slicing never has channels_last, and what meets it then walks
    through memory in strides, ten times slower than along it.
    """
    down, right = (stride, stride) if isinstance(stride, int) else stride
    if down == right == 1:
        return x
    if not _channels_last(x):
        return x[:, :, ::down, ::right]
    # As (N, H, W, C) x is contiguous, and so is its gradient from slicing: permuted back, that is channels_last.
    return x.permute(0, 2, 3, 1)[:, ::down, ::right].permute(0, 3, 1, 2)


def pixel_mean(x: Tensor) -> Tensor:
    """The mean over height and width, (N, C, H, W) -> (N, C), whose gradient has x's memory format."""
    if not _channels_last(x):
        return x.mean((2, 3))
    return x.permute(0, 2, 3, 1).flatten(1, 2).mean(1)


class Conv2d(nn.Conv2d):
    """A 1x1 convolution with a stride and less than 16 input channels, as one without stride on the pixels it reads.

    On a CPU, oneDNN's gradient for the weights of the strided form writes past the end of its memory where images are
    channels_last (github.com/uxlfoundation/oneDNN/issues/6035; oneDNN 3.12 in PyTorch 2.13): it ends the process, or
    gives wrong gradients. The two forms multiply and add the same numbers.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        # The fault is in the gradient of the weights on a CPU; elsewhere the strided form is right.
        if x.device.type != "cpu" or not (torch.is_grad_enabled() and self.weight.requires_grad):
            return super().forward(x)
        # (N, in_channels, ceil(H / stride), ceil(W / stride)): a 1x1 kernel reads these pixels and no others.
        pixels = subsampled(x, (self.stride[0], self.stride[1]))
        return nn.functional.conv2d(pixels, self.weight, self.bias, groups=self.groups)


def replace_narrow_pointwise(model: nn.Module) -> None:
    """Let every convolution of a model that this concerns be such a `Conv2d`; parameters and names stay."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _overruns(module):
            # No new module in its place: hooks, and whatever else holds the layer, stay right.
            module.__class__ = Conv2d


def _overruns(conv: nn.Conv2d) -> bool:
    strided_pointwise = conv.kernel_size == (1, 1) and max(conv.stride) > 1 and conv.padding == (0, 0)
    return strided_pointwise and conv.in_channels // conv.groups < OVERRUN_BELOW


def _channels_last(x: Tensor) -> bool:
    """Whether x is that, and not the other format just as well, as with a single channel or pixel."""
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
