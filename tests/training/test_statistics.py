"""Statistics of pixels, against NumPy on float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ablate.training import statistics
from ablate.training.statistics import PixelStatistics


@pytest.fixture
def images() -> torch.Tensor:
    """Channels that go together: the second follows the first."""
    found = torch.randint(0, 256, (500, 3, 6, 5), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    found[:, 1] = found[:, 0] // 3 + found[:, 1] // 5
    return found


def test_statistics_are_those_of_each_channel(images: torch.Tensor) -> None:
    found = PixelStatistics(lambda: [images])
    np.testing.assert_allclose(found.mean, images.numpy().mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(found.std, images.numpy().std((0, 2, 3)), rtol=1e-6)


def test_covariance_is_that_of_the_channels_over_all_pixels(images: torch.Tensor) -> None:
    pixels = images.permute(1, 0, 2, 3).reshape(3, -1).numpy().astype(np.float64)
    np.testing.assert_allclose(PixelStatistics(lambda: [images]).covariance, np.cov(pixels, bias=True), rtol=1e-9)


def test_batches_do_not_matter_to_the_last_bit(images: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = PixelStatistics(lambda: [images])
    expected = [whole.mean, whole.std, whole.covariance]
    monkeypatch.setattr(statistics, "PIXELS_AT_ONCE", 77)
    parts = PixelStatistics(lambda: images.split(33))
    assert all(
        torch.equal(one, other) for one, other in zip([parts.mean, parts.std, parts.covariance], expected, strict=True)
    )


def test_a_channel_without_variance_does_not_divide_by_zero() -> None:
    found = PixelStatistics(lambda: [torch.full((4, 1, 3, 3), 7, dtype=torch.uint8)])
    assert (found.mean.item(), found.std.item()) == (7.0, 1.0)
