"""Stochastic gradient descent, as the residual networks were trained."""

import math

import torch
from torch import nn

from ablate import InputError, Optim, register


@register("optim", "sgd")
class Sgd(Optim):
    """SGD with momentum and weight decay (He et al. 2015, section 3.4: rate 0.1, momentum 0.9, decay 1e-4).

    v = momentum v + g + weight_decay w; w -= lr v: PyTorch's form, in which a new rate acts on the whole velocity at
    once (in Caffe's the rate stands inside of v).

    Args:
        lr: the rate, which the schedule's factor multiplies; at least 0.
        momentum: share of the velocity that is kept at each step; in [0, 1).
        weight_decay: times each parameter is added to its gradient; at least 0.
        nesterov: w -= lr (g + weight_decay w + momentum v) instead, PyTorch's form; needs a momentum above 0.
        decay_norm: norms' parameters and biases decay too, as in fb.resnet.torch; false leaves all vectors out.

    Raises:
        InputError: one of them is out of range.
    """

    def __init__(
        self,
        *,
        lr: float = 0.1,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
        nesterov: bool = False,
        decay_norm: bool = True,
    ) -> None:
        _check(lr, weight_decay)
        if not 0 <= momentum < 1 or (nesterov and momentum == 0):
            raise InputError(f"optim.momentum={momentum}: must be at least 0 and below 1, for nesterov above 0")
        self.lr = lr
        self.weight_decay = weight_decay
        self.decay_norm = decay_norm
        self.momentum = momentum
        self.nesterov = nesterov

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        # Told by their number of dimensions, and so in every norm and in a user's own modules, too: what scales or
        # shifts a channel is a vector, and what mixes channels is not.
        spared = [p for p in model.parameters() if p.ndim <= 1 and not self.decay_norm]
        decayed = [p for p in model.parameters() if p.ndim > 1 or self.decay_norm]
        groups = [{"params": decayed, "weight_decay": self.weight_decay}, {"params": spared, "weight_decay": 0.0}]
        groups = [group for group in groups if group["params"]]  # an empty one would be in every checkpoint
        fused = _one_kernel(model)
        return torch.optim.SGD(groups, lr=self.lr, momentum=self.momentum, nesterov=self.nesterov, fused=fused)


@register("optim", "adamw")
class AdamW(Optim):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101), with PyTorch's betas and eps.

    Args:
        lr: the rate, which the schedule's factor multiplies; at least 0.
        weight_decay: a step takes lr * weight_decay of each parameter off it, beside Adam's own; at least 0.

    Raises:
        InputError: one of them is out of range.
    """

    def __init__(self, *, lr: float = 1e-3, weight_decay: float = 0.01) -> None:
        _check(lr, weight_decay)
        self.lr = lr
        self.weight_decay = weight_decay

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        fused = _one_kernel(model)
        return torch.optim.AdamW(model.parameters(), self.lr, weight_decay=self.weight_decay, fused=fused)


def _one_kernel(model: nn.Module) -> bool:
    """Whether a parameter's update is one kernel; where there is none, as on "meta", it is an operation at a time."""
    return {parameter.device.type for parameter in model.parameters()} <= {"cpu", "cuda"}


def _check(lr: float, weight_decay: float) -> None:
    for name, value in {"lr": lr, "weight_decay": weight_decay}.items():
        if not 0 <= value < math.inf:
            raise InputError(f"optim.{name}={value}: must be a number of at least 0")
