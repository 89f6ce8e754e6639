"""Whole networks against the published codes whose forms they take.

Each reference is written with torch.nn.functional and reads the network's state_dict from front to back, in the order
in which that code constructs its layers: a wrong order, stride, padding, epsilon or place of a norm changes the result.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ablate

from . import source_nets
from .reader import R18, R50, Reader, keras_v2_stages, relu_norm, stages, torchvision_stem


def torchvision_basic(read: Reader, x: Tensor, stride: int, projects: bool) -> Tensor:
    y = relu_norm(read, read.conv(x, stride))
    y = read.norm(read.conv(y))
    return F.relu(y + (read.norm(read.conv(x, stride)) if projects else x))


def torchvision_bottleneck(read: Reader, x: Tensor, stride: int, projects: bool, groups: int = 1) -> Tensor:
    y = relu_norm(read, read.conv(x))
    y = relu_norm(read, read.conv(y, stride, groups=groups))
    y = read.norm(read.conv(y))
    return F.relu(y + (read.norm(read.conv(x, stride)) if projects else x))


def resnext_bottleneck(read: Reader, x: Tensor, stride: int, projects: bool) -> Tensor:
    return torchvision_bottleneck(read, x, stride, projects, groups=4)


def he_v1_bottleneck(read: Reader, x: Tensor, stride: int, projects: bool) -> Tensor:
    y = relu_norm(read, read.conv(x, stride))
    y = relu_norm(read, read.conv(y))
    y = read.norm(read.conv(y))
    return F.relu(y + (read.norm(read.conv(x, stride)) if projects else x))


def keras_v1_bottleneck(read: Reader, x: Tensor, stride: int, projects: bool) -> Tensor:
    shortcut = read.norm(read.conv(x, stride)) if projects else x
    y = relu_norm(read, read.conv(x, stride))
    y = relu_norm(read, read.conv(y))
    return F.relu(shortcut + read.norm(read.conv(y)))


def timm_v2_bottleneck(read: Reader, x: Tensor, stride: int, projects: bool) -> Tensor:
    downsample = read.later_conv(stride) if projects else None
    h = relu_norm(read, x)
    y = relu_norm(read, read.conv(h))
    y = relu_norm(read, read.conv(y, stride))
    return read.conv(y) + (downsample(h) if downsample else x)


def he_v2_bottleneck(read: Reader, x: Tensor, stride: int, projects: bool) -> Tensor:
    h = relu_norm(read, x)
    y = relu_norm(read, read.conv(h, stride))
    y = relu_norm(read, read.conv(y))
    y = read.conv(y)
    return y + (read.conv(h, stride) if projects else x)


def keras_v2_bottleneck(read: Reader, x: Tensor, stride: int, projects: bool) -> Tensor:
    h = relu_norm(read, x)
    shortcut = read.conv(h, stride) if projects else F.max_pool2d(x, 1, stride)
    y = relu_norm(read, read.conv(h, bias=False))
    y = relu_norm(read, read.conv(y, stride, bias=False))
    return shortcut + read.conv(y)


def akamaster_basic(read: Reader, x: Tensor, stride: int, projects: bool) -> Tensor:
    y = relu_norm(read, read.conv(x, stride))
    y = read.norm(read.conv(y))
    planes = y.shape[1]
    padded = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, planes // 4, planes // 4)) if stride != 1 else x
    return F.relu(y + padded)


def resnet18(read: Reader, x: Tensor) -> Tensor:
    return read.classifier(stages(read, torchvision_stem(read, x), torchvision_basic, R18, basic=True))


def resnet50(read: Reader, x: Tensor) -> Tensor:
    return read.classifier(stages(read, torchvision_stem(read, x), torchvision_bottleneck, R50))


def resnext50(read: Reader, x: Tensor) -> Tensor:
    return read.classifier(stages(read, torchvision_stem(read, x), resnext_bottleneck, R50))


def resnet50_keras(read: Reader, x: Tensor) -> Tensor:
    read.bias, read.eps = True, 1.001e-5
    x = F.pad(relu_norm(read, read.conv(x, 2)), (1, 1, 1, 1))
    return read.classifier(stages(read, F.max_pool2d(x, 3, 2), keras_v1_bottleneck, R50))


def resnet50_v2(read: Reader, x: Tensor) -> Tensor:
    x = stages(read, F.max_pool2d(read.conv(x, 2), 3, 2, 1), timm_v2_bottleneck, R50)
    return read.classifier(relu_norm(read, x))


def resnet50_v2_keras(read: Reader, x: Tensor) -> Tensor:
    read.bias, read.eps = True, 1.001e-5
    x = F.max_pool2d(F.pad(read.conv(x, 2), (1, 1, 1, 1)), 3, 2)
    return read.classifier(relu_norm(read, keras_v2_stages(read, x, keras_v2_bottleneck, R50, [2, 2, 2, 1])))


def resnet20_cifar(read: Reader, x: Tensor) -> Tensor:
    return read.classifier(stages(read, relu_norm(read, read.conv(x)), akamaster_basic, [3, 3, 3]))


def resnet29_cifar(read: Reader, x: Tensor) -> Tensor:
    return read.classifier(stages(read, relu_norm(read, read.conv(x)), he_v1_bottleneck, [3, 3, 3]))


def preact_resnet29(read: Reader, x: Tensor) -> Tensor:
    return read.classifier(relu_norm(read, stages(read, read.conv(x), he_v2_bottleneck, [3, 3, 3])))


AS_MEANT = ["order.stem=norm_act", "order.between=norm_act"]
# As the comment of the preset says it, of the net of source 001 with as many parameters.
AS_WRITTEN_001 = ["order.stem=norm", "order.between=act_after_1x1", "norm.eps=1e-3"]
LISTED_LAST = ["backbone.shortcut_listed=after_branch"]  # in the order in which the code of that source has its layers
IMAGENET = ["width=0.125", "image.size=64", "image.classes=5"]
CASES = {
    resnet18: ["arch=resnet18", *IMAGENET],
    resnet50: ["arch=resnet50", *IMAGENET],
    resnext50: ["arch=resnext50_32x4d", "block.cardinality=4", "block.base_width=16", *IMAGENET],
    resnet50_keras: ["arch=resnet50_keras", *IMAGENET],
    resnet50_v2: ["arch=resnet50_v2", *IMAGENET],
    resnet50_v2_keras: ["arch=resnet50_v2_keras", *IMAGENET],
    resnet20_cifar: ["arch=resnet20_cifar"],
    resnet29_cifar: ["arch=resnet164_cifar", "depth=29"],
    preact_resnet29: ["arch=preact_resnet164", "depth=29"],
    source_nets.resnet18_d2l: ["arch=resnet18_d2l", *IMAGENET],
    source_nets.resnet18_d2l_as_written: ["arch=resnet18_d2l", "block.drop_second=true", *IMAGENET],
    source_nets.resnet50_v2_000: ["arch=resnet50_v2_000", *IMAGENET],
    source_nets.resnet50_v2_000_as_written: ["arch=resnet50_v2_000", "order.between=nothing", *IMAGENET],
    source_nets.resnet18_001: ["arch=resnet18_001", *IMAGENET],
    source_nets.resnet18_001_as_meant: ["arch=resnet18_001", *AS_MEANT, *IMAGENET],
    source_nets.resnet50_001: ["arch=resnet50_keras", *AS_WRITTEN_001, *LISTED_LAST, *IMAGENET],
    source_nets.mini_v1_002: ["arch=mini_v1_002", "width=0.5", "image.size=9"],
    source_nets.mini_v2_002: ["arch=mini_v2_002", "width=0.5", "image.size=9"],
}


@pytest.fixture(scope="module", params=CASES, ids=lambda reference: reference.__name__)
def case(request: pytest.FixtureRequest) -> tuple[Callable[[Reader, Tensor], Tensor], nn.Module, Tensor]:
    cfg = ablate.compose(CASES[request.param])
    model = ablate.build_model(cfg).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if "conv" not in name and tensor.is_floating_point():  # norms: away from where they start
                tensor.uniform_(0.5, 1.5, generator=generator)
    images = torch.randn(4, cfg.image.channels, cfg.image.size, cfg.image.size, generator=generator)
    return request.param, model, images.double()


def test_outputs_in_eval_mode(case: tuple[Callable[[Reader, Tensor], Tensor], nn.Module, Tensor]) -> None:
    reference, model, images = case
    expected = reference(Reader(iter(model.state_dict().values()), training=False), images)
    torch.testing.assert_close(model.eval()(images), expected, rtol=1e-9, atol=1e-9)


def test_gradients_in_training_mode(case: tuple[Callable[[Reader, Tensor], Tensor], nn.Module, Tensor]) -> None:
    reference, model, images = case
    tensors = dict(model.state_dict(keep_vars=True))
    names = [name for name, tensor in tensors.items() if tensor.requires_grad]
    copies = {name: tensor.detach().clone().requires_grad_(tensor.requires_grad) for name, tensor in tensors.items()}
    pull = torch.linspace(-1, 1, steps=4).double()[:, None]
    ours = torch.autograd.grad((model.train()(images) * pull).sum(), [tensors[name] for name in names])
    output = reference(Reader(iter(copies.values()), training=True), images)
    theirs = torch.autograd.grad((output * pull).sum(), [copies[name] for name in names])
    for name, our, their in zip(names, ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-6, atol=1e-8, msg=lambda text, name=name: f"{name}: {text}")
