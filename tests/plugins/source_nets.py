"""The residual networks of the source documents, as their code has them and as it was meant, on a state_dict's tensors.

Padding is the same on both sides, as in the presets; Keras' `same` pads the far side more.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from .reader import R18, R50, Reader, keras_v2_stages, relu_norm, stages, torchvision_stem


def keras_defaults(read: Reader) -> None:
    read.bias, read.eps = True, 1e-3


def d2l_basic(read: Reader, x: Tensor, stride: int, projects: bool) -> Tensor:
    y = relu_norm(read, read.conv(x, stride))
    y = read.norm(read.conv(y))
    return F.relu(y + (read.conv(x, stride) if projects else x))


def d2l_basic_as_written(read: Reader, x: Tensor, stride: int, projects: bool) -> Tensor:
    y = relu_norm(read, read.conv(x, stride))
    y = read.norm(y)
    return F.relu((read.conv(x, stride) if projects else x) + y)


def resnet18_d2l(read: Reader, x: Tensor) -> Tensor:
    keras_defaults(read)
    return read.classifier(stages(read, torchvision_stem(read, x), d2l_basic, R18, basic=True))


def resnet18_d2l_as_written(read: Reader, x: Tensor) -> Tensor:
    keras_defaults(read)
    return read.classifier(stages(read, torchvision_stem(read, x), d2l_basic_as_written, R18, basic=True))


def note_000_bottleneck(read: Reader, x: Tensor, stride: int, projects: bool) -> Tensor:
    h = relu_norm(read, x)
    y = relu_norm(read, read.conv(h, stride))
    y = relu_norm(read, read.conv(y))
    y = read.conv(y)
    shortcut = x if stride == 1 else F.max_pool2d(x, 3, 2, 1)
    return y + (read.conv(h, stride) if projects else shortcut)


def note_000_bottleneck_as_written(read: Reader, x: Tensor, stride: int, projects: bool) -> Tensor:
    h = relu_norm(read, x)
    y = read.conv(read.conv(read.conv(h, stride)))
    shortcut = x if stride == 1 else F.max_pool2d(x, 3, 2, 1)
    return y + (read.conv(h, stride) if projects else shortcut)


def resnet50_v2_000(read: Reader, x: Tensor) -> Tensor:
    keras_defaults(read)
    x = F.max_pool2d(read.conv(x, 2), 3, 2)
    return read.classifier(keras_v2_stages(read, x, note_000_bottleneck, R50, [2, 2, 1, 1]))


def resnet50_v2_000_as_written(read: Reader, x: Tensor) -> Tensor:
    keras_defaults(read)
    x = F.max_pool2d(read.conv(x, 2), 3, 2)
    return read.classifier(keras_v2_stages(read, x, note_000_bottleneck_as_written, R50, [2, 2, 1, 1]))


def note_001_basic(read: Reader, x: Tensor, stride: int, projects: bool) -> Tensor:
    y = read.norm(read.conv(x, stride))
    y = read.norm(read.conv(y))
    return F.relu(y + (read.norm(read.conv(x, stride)) if projects else x))


def note_001_basic_as_meant(read: Reader, x: Tensor, stride: int, projects: bool) -> Tensor:
    y = relu_norm(read, read.conv(x, stride))
    y = read.norm(read.conv(y))
    return F.relu(y + (read.norm(read.conv(x, stride)) if projects else x))


def note_001_bottleneck(read: Reader, x: Tensor, stride: int, projects: bool) -> Tensor:
    y = relu_norm(read, read.conv(x, stride))
    y = read.norm(read.conv(y))
    y = read.norm(read.conv(y))
    return F.relu(y + (read.norm(read.conv(x, stride)) if projects else x))


def note_001_stem(read: Reader, x: Tensor) -> Tensor:
    return F.max_pool2d(read.norm(read.conv(x, 2)), 3, 2, 1)


def resnet18_001(read: Reader, x: Tensor) -> Tensor:
    keras_defaults(read)
    return read.classifier(stages(read, note_001_stem(read, x), note_001_basic, R18, basic=True))


def resnet18_001_as_meant(read: Reader, x: Tensor) -> Tensor:
    keras_defaults(read)
    return read.classifier(stages(read, torchvision_stem(read, x), note_001_basic_as_meant, R18, basic=True))


def resnet50_001(read: Reader, x: Tensor) -> Tensor:
    keras_defaults(read)
    return read.classifier(stages(read, note_001_stem(read, x), note_001_bottleneck, R50))


def mini_v1_002(read: Reader, x: Tensor) -> Tensor:
    keras_defaults(read)
    x = F.relu(read.conv(x))
    return read.flat_classifier(d2l_basic(read, d2l_basic(read, x, 1, False), 1, True))


def note_002_preact(read: Reader, x: Tensor, stride: int, projects: bool) -> Tensor:
    y = read.conv(relu_norm(read, x))
    y = read.conv(relu_norm(read, y))
    return (read.conv(x) if projects else x) + y


def mini_v2_002(read: Reader, x: Tensor) -> Tensor:
    keras_defaults(read)
    x = F.relu(read.conv(x))
    return read.flat_classifier(read.norm(note_002_preact(read, note_002_preact(read, x, 1, False), 1, True)))
