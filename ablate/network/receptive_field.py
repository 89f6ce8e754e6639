"""The receptive field of every feature map, followed through the operations that a network carries out.

Along each axis pixel i of a map sees the pixels `start + i * jump` to `end + i * jump` of the image (Araujo, Norris and
Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks", Distill 4(11)):

- a convolution or pooling with kernel k, stride s, padding p and dilation d starts p * jump earlier, ends
  (d * (k - 1) - p) * jump later, and multiplies the jump by s;
- padding and slicing move the start and the end, and a slice's step multiplies the jump;
- where branches meet (addition, concatenation, gates), a pixel sees all that it sees through any of them: from the
  earliest start to the latest end, so that the widest path decides;
- a mean over height and width, and a dense layer, see the whole image;
- norms count as pixel by pixel, although a group norm's statistics come from the whole map.

Padding belongs to the field: it is the field of a pixel far from the border, and may be larger than the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Span:
    """What the pixels of a map see along one axis, in pixels of the image: pixel i from start + i * jump on."""

    start: float = 0
    end: float = 0
    jump: float = 1

    @property
    def size(self) -> float:
        """Pixels that one pixel sees, infinite for the whole image."""
        return self.end - self.start + 1

    def through(self, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Span:
        """Behind windows of `kernel` pixels."""
        reach = dilation * (kernel - 1) - padding
        return Span(self.start - padding * self.jump, self.end + reach * self.jump, self.jump * stride)

    def joined(self, other: Span) -> Span:
        """Where two maps meet."""
        # Branches that meet have one jump, but for a gate from the whole image, whose jump is infinite.
        return Span(min(self.start, other.start), max(self.end, other.end), max(self.jump, other.jump))


WHOLE = Span(-math.inf, math.inf, math.inf)
Field = tuple[Span, Span]  # along height and along width


class ReceptiveFields(TorchDispatchMode):
    """Follows the fields of an image's maps while a network runs inside this context.

    Args:
        image: (N, C, H, W), what the network is called with.
    """

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # By the tensor itself and weakly: under its `id` a freed map's field would be found for the next one made in
        # its place, and held strongly all maps of a deep network would stay in memory.
        self._fields: MutableMapping[Tensor, Field] = WeakTensorKeyDictionary()
        self._fields[image] = (Span(), Span())

    def of(self, tensor: Tensor) -> Field:
        """The field of a map that was made inside this context."""
        return self._fields[tensor]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        inputs = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        fields = [self._fields[one] for one in inputs if one in self._fields]
        # What no image goes into (weights, constants, what is made of them) has no field.
        if fields:
            # What has no rule (norms, activations, additions) looks at one pixel.
            rule = RULES.get(func.overloadpacket, _unchanged)
            # Joined before the rule: addition, concatenation and gates then need no rules of their own.
            heights, widths = zip(*fields, strict=True)
            seen = rule((_joined(heights), _joined(widths)), _named(func, args, kwargs or {}))
            for one in tree_leaves(result):
                if isinstance(one, Tensor):
                    self._fields[one] = seen
        return result


def _joined(spans: Sequence[Span]) -> Span:
    first, *others = spans
    for other in others:
        first = first.joined(other)
    return first


def _named(func: Any, args: Sequence[Any], kwargs: Arguments) -> dict[str, Any]:
    """The arguments of an operation by the names in its schema."""
    known = func._schema.arguments
    named = {one.name: one.default_value for one in known}
    return named | dict(zip((one.name for one in known), args, strict=False)) | dict(kwargs)


def _unchanged(field: Field, arguments: Arguments) -> Field:
    return field


def _convolution(field: Field, arguments: Arguments) -> Field:
    if arguments["transposed"]:
        return WHOLE, WHOLE  # it spreads where others gather, and no start and jump describe that; the safe side
    kernel = arguments["weight"].shape[2:]
    return _windows(field, kernel, arguments["stride"], arguments["padding"], arguments["dilation"])


def _pooling(field: Field, arguments: Arguments) -> Field:
    kernel = arguments["kernel_size"]
    # No stride given means windows side by side.
    return _windows(field, kernel, arguments["stride"] or kernel, arguments["padding"], arguments.get("dilation", 1))


def _adaptive_pooling(field: Field, arguments: Arguments) -> Field:
    sizes, targets = arguments["self"].shape[-2:], arguments["output_size"]
    # Where the target does not divide the size, windows differ in size and spacing: no start and jump describe them,
    # and the whole image is the safe side.
    if any(target == 1 or size % target for size, target in zip(sizes, targets, strict=True)):
        return WHOLE, WHOLE
    kernel = [size // target for size, target in zip(sizes, targets, strict=True)]
    return _windows(field, kernel, kernel)


def _windows(field: Field, kernel: Any, stride: Any, padding: Any = 0, dilation: Any = 1) -> Field:
    axes = zip(field, *map(_pair, (kernel, stride, padding, dilation)), strict=True)
    height, width = (span.through(*sizes) for span, *sizes in axes)
    return height, width


def _reduction(field: Field, arguments: Arguments) -> Field:
    dimensions = arguments.get("dim")
    rank = arguments["self"].dim()
    # Dimensions may count from the end, as in `mean((-2, -1))`; none given means all.
    over = set(range(rank)) if not dimensions else {one % rank for one in dimensions}
    height, width = (WHOLE if rank - 2 + axis in over else span for axis, span in enumerate(field))
    return height, width


def _padding(field: Field, arguments: Arguments) -> Field:
    # `pad` has the last axis first: left, right, top, bottom. Right and bottom do not move pixel 0.
    left, top = (arguments["pad"][side] if len(arguments["pad"]) > side else 0 for side in (0, 2))
    height, width = (
        Span(span.start - before * span.jump, span.end - before * span.jump, span.jump)
        for span, before in zip(field, (top, left), strict=True)
    )
    return height, width


def _slicing(field: Field, arguments: Arguments) -> Field:
    rank = arguments["self"].dim()
    sliced, start, step = arguments["dim"] % rank, arguments["start"] or 0, arguments["step"]
    if start < 0:
        start += arguments["self"].shape[sliced]

    def along(axis: int, span: Span) -> Span:
        if rank - 2 + axis != sliced:
            return span
        return Span(span.start + start * span.jump, span.end + start * span.jump, span.jump * step)

    height, width = (along(axis, span) for axis, span in enumerate(field))
    return height, width


def _everything(field: Field, arguments: Arguments) -> Field:
    return WHOLE, WHOLE


def _pair(value: Any) -> list[int]:
    """Along height and width, of a number or of one for each of two or three axes."""
    values = [value] if isinstance(value, int) else list(value)
    return [values[0], values[0]] if len(values) == 1 else values[-2:]


aten = torch.ops.aten
RULES: dict[Any, Callable[[Field, Arguments], Field]] = {
    aten.convolution: _convolution,
    aten.max_pool2d_with_indices: _pooling,
    aten.avg_pool2d: _pooling,
    aten.avg_pool3d: _pooling,
    aten._adaptive_avg_pool2d: _adaptive_pooling,
    aten.adaptive_max_pool2d: _adaptive_pooling,
    aten.mean: _reduction,
    aten.sum: _reduction,
    aten.amax: _reduction,
    aten.constant_pad_nd: _padding,
    aten.slice: _slicing,
    aten.mm: _everything,
    aten.addmm: _everything,
    aten.bmm: _everything,
}
