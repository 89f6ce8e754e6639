"""What operations draw from that have no stream of their own."""

from __future__ import annotations

import pytest
import torch

from ablate.system.streams import seed_device, stream_seed


@pytest.mark.parametrize(
    "kind",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")],
        ),
    ],
)
def test_noise_after_seeding_a_device_is_that_after_seeding_all(kind: str) -> None:
    device = torch.device(kind)
    seed = stream_seed(3, "noise", 1)
    torch.manual_seed(seed)
    expected = torch.rand(4, device=device)
    seed_device(seed, device)
    assert torch.equal(torch.rand(4, device=device), expected)
