"""What a forward pass keeps in memory: each activation that the backward pass needs, once."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import ablate
from ablate.config.compose import prepare
from tests.memory import Memory, saved_bytes

BATCH, FLOAT = 8, 4


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    prepare()


def network(*overrides: str) -> nn.Module:
    with torch.device("meta"):
        return ablate.build_model(ablate.compose([*overrides, "image={channels:3,size:32,classes:10}"]))


def kept_by_hand(units: int) -> int:
    """Bytes that a CIFAR network of basic units and option A must keep for its backward pass.

    A unit keeps four maps: the outputs of its convolutions, for the norms behind them, and of its activations, which
    serve the activation's own gradient and the next convolution. A norm keeps the mean and deviation of each channel.
    With pre-activation the sums take the place of the second convolutions' outputs, and the last norm and activation
    that of the two that the first unit lacks.
    """
    total = BATCH * (3 * 32**2 + 2 * 16 * 32**2 + 64)  # the image, two maps in the stem, what the classifier reads
    norms = 16
    for channels, side in ((16, 32), (32, 16), (64, 8)):
        total += 4 * units * BATCH * channels * side**2
        norms += 2 * units * channels
    return FLOAT * (total + 2 * norms)


@pytest.mark.parametrize(
    ("arch", "units"), [("resnet110_cifar", 18), pytest.param("resnet1202_cifar", 200, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("order", ["post", "pre"])
def test_a_forward_pass_keeps_every_activation_once_and_no_more(arch: str, units: int, order: str) -> None:
    model, images = network(f"arch={arch}", f"order={order}"), torch.zeros(BATCH, 3, 32, 32, device="meta")
    with saved_bytes([*model.parameters(), *model.buffers()]) as saved, Memory() as memory:
        logits = model(images)
    kept = sum(saved.values())
    assert kept == kept_by_hand(units)
    at_most = memory.peak + images.untyped_storage().nbytes()
    assert at_most < 1.01 * kept, "nothing else of that size is alive on the way"
    assert logits.grad_fn is not None


@pytest.mark.slow
def test_a_thousand_units_need_no_recursion() -> None:
    model = network("arch=resnet1202_cifar")
    assert sum(isinstance(module, nn.Conv2d) for module in copy.deepcopy(model).modules()) == 1201
