"""Layers of a reference network, read off a state_dict in its own order, and the stages that references share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F


@dataclass
class Reader:
    """Layers of a reference, in order of construction, on the tensors of a state_dict in its own order."""

    tensors: Iterator[Tensor]
    training: bool
    bias: bool = False
    eps: float = 1e-5

    def conv(self, x: Tensor, stride: int = 1, bias: bool | None = None, groups: int = 1) -> Tensor:
        return self.later_conv(stride, bias, groups)(x)

    def later_conv(self, stride: int = 1, bias: bool | None = None, groups: int = 1) -> Callable[[Tensor], Tensor]:
        """A convolution constructed now and applied later."""
        weight = next(self.tensors)
        offset = next(self.tensors) if (self.bias if bias is None else bias) else None
        return lambda x: F.conv2d(x, weight, offset, stride, weight.shape[-1] // 2, groups=groups)

    def norm(self, x: Tensor) -> Tensor:
        return self.later_norm()(x)

    def later_norm(self) -> Callable[[Tensor], Tensor]:
        weight, bias, mean, variance, _ = (next(self.tensors) for _ in range(5))
        if self.training:
            return lambda x: F.batch_norm(x, None, None, weight, bias, training=True, eps=self.eps)
        return lambda x: F.batch_norm(x, mean, variance, weight, bias, eps=self.eps)

    def classifier(self, x: Tensor) -> Tensor:
        return self.flat_classifier(F.adaptive_avg_pool2d(x, 1))

    def flat_classifier(self, x: Tensor) -> Tensor:
        y = F.linear(x.flatten(1), next(self.tensors), next(self.tensors))
        assert next(self.tensors, None) is None, "tensors are left over"
        return y


def relu_norm(read: Reader, x: Tensor) -> Tensor:
    return F.relu(read.norm(x))


def torchvision_stem(read: Reader, x: Tensor) -> Tensor:
    return F.max_pool2d(relu_norm(read, read.conv(x, 2)), 3, 2, 1)


Unit = Callable[[Reader, Tensor, int, bool], Tensor]


def stages(read: Reader, x: Tensor, unit: Unit, counts: list[int], basic: bool = False) -> Tensor:
    """Stride and projection in the first unit of a stage; in the first stage a basic block needs neither."""
    for stage, count in enumerate(counts):
        for number in range(count):
            first = number == 0
            x = unit(read, x, 2 if first and stage else 1, first and not (basic and stage == 0))
    return x


def keras_v2_stages(read: Reader, x: Tensor, unit: Unit, counts: list[int], strides: list[int]) -> Tensor:
    """Projection in the first unit of a stage, stride in its last."""
    for count, stride in zip(counts, strides, strict=True):
        for number in range(count):
            x = unit(read, x, stride if number == count - 1 else 1, number == 0)
    return x


R18, R50 = [2, 2, 2, 2], [3, 4, 6, 3]
