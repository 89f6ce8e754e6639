"""Networks by their overrides, and references written with torch.nn.functional to hold them against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ablate

Pair = int | tuple[int, int]


def build(*overrides: str) -> nn.Module:
    return ablate.build_model(ablate.compose(overrides))


def meta(*overrides: str) -> nn.Module:
    with torch.device("meta"):
        return build(*overrides)


def images(count: int, channels: int, size: int) -> Tensor:
    return torch.randn(count, channels, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@dataclass
class Weights:
    """The tensors of a state_dict from front to back, as a reference that constructs its layers in order reads them.

    Attributes:
        tensors: those not yet read.
        training: whether norms take the statistics of the batch.
        norm: whether a batch norm follows each convolution, which then has no bias.
        eps: of the norms.
    """

    tensors: list[Tensor]
    training: bool
    norm: bool = True
    eps: float = 1e-3

    def take(self, count: int) -> list[Tensor]:
        taken, self.tensors = self.tensors[:count], self.tensors[count:]
        assert len(taken) == count, "the state_dict has too few tensors"
        return taken

    def unit(self, x: Tensor, stride: int = 1, padding: Pair = 0, *, groups: int = 1) -> Tensor:
        """Convolution, norm where there is one, ReLU."""
        if not self.norm:
            weight, bias = self.take(2)
            return F.relu(F.conv2d(x, weight, bias, stride, padding, groups=groups))
        (weight,) = self.take(1)
        return self.norm_relu(F.conv2d(x, weight, None, stride, padding, groups=groups))

    def norm_relu(self, x: Tensor) -> Tensor:
        weight, bias, mean, variance, _ = self.take(5)
        statistics = (None, None) if self.training else (mean, variance)
        return F.relu(F.batch_norm(x, *statistics, weight, bias, training=self.training, eps=self.eps))

    def linear(self, x: Tensor) -> Tensor:
        return F.linear(x, *self.take(2))

    def classifier(self, x: Tensor) -> Tensor:
        return self.linear(F.adaptive_avg_pool2d(x, 1).flatten(1))


Reference = Callable[[Weights, Tensor], list[Tensor]]
"""From the weights and the images to the logits, the main ones first; auxiliary ones in training mode only."""


def assert_same_network(model: nn.Module, reference: Reference, images: Tensor, **norms: float) -> None:
    """Outputs in eval mode, outputs and gradients in training mode, all in float64, from the same state_dict."""
    model.double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.ndim == 1:  # biases and norms: away from where they start
                tensor.uniform_(0.5, 1.5, generator=generator)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    expected = _run(reference, Weights(list(before.values()), training=False, **norms), images)
    torch.testing.assert_close(_logits(model.eval()(images)), expected, rtol=1e-9, atol=1e-9)

    copies = {name: tensor.requires_grad_(tensor.is_floating_point()) for name, tensor in before.items()}
    names = dict(model.named_parameters())
    theirs = _run(reference, Weights(list(copies.values()), training=True, **norms), images)
    ours = _logits(model.train()(images))
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)
    wanted = torch.autograd.grad(_pull(theirs), [copies[name] for name in names])
    for name, got, want in zip(names, torch.autograd.grad(_pull(ours), list(names.values())), wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-8, msg=lambda text, name=name: f"{name}: {text}")


def _run(reference: Reference, weights: Weights, images: Tensor) -> list[Tensor]:
    logits = reference(weights, images)
    assert weights.tensors == [], "tensors are left over"
    return logits


def _logits(output: Tensor | tuple[Tensor, list[Tensor]]) -> list[Tensor]:
    return [output] if isinstance(output, Tensor) else [output[0], *output[1]]


def _pull(logits: list[Tensor]) -> Tensor:
    """A number on which every logit acts differently."""
    y = torch.cat(logits)
    return (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)).sum()
