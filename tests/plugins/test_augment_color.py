"""Colour by principal components, and augmentations in a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ablate import Augment, InputError, Split, Splits, registry
from ablate.config.compose import prepare
from ablate.training.resident import ResidentData
from ablate.training.statistics import PixelStatistics


def build(name: str, **options: Any) -> Augment:
    prepare()
    return registry.build("augment", {"name": name, **options})


def drawn(augment: Augment, samples: int, seed: int = 0) -> Any:
    return augment.draw(samples, torch.Generator().manual_seed(seed))


@pytest.fixture
def pixels() -> torch.Tensor:
    """Images (200, 3, 6, 6) whose channels go together."""
    random = torch.Generator().manual_seed(0)
    grey = torch.randint(20, 200, (200, 1, 6, 6), generator=random)
    return (grey + torch.randint(-20, 20, (200, 3, 6, 6), generator=random)).clamp(0, 255).to(torch.uint8)


def shifts(pixels: torch.Tensor, samples: int, **options: Any) -> np.ndarray:
    """(samples, 3): what is added to the channels, with values in 0 .. 1."""
    augment, statistics = build("color_pca", **options), PixelStatistics(lambda: [pixels])
    augment.fit(statistics)
    images = torch.zeros(samples, 3, 4, 4)
    changed = augment.apply(images, drawn(augment, samples))
    assert torch.equal(changed, changed[:, :, :1, :1].expand_as(changed)), "each pixel of an image gets the same"
    return (changed[:, :, 0, 0] * statistics.std / 255).double().numpy()


def test_the_shift_is_the_papers_sum_over_components(pixels: torch.Tensor) -> None:
    """Sum of p_i a_i l_i, so its covariance is std^2 times the sum of p_i p_i^T l_i^2: std^2 times the square of C."""
    covariance = np.cov(pixels.permute(1, 0, 2, 3).reshape(3, -1).numpy() / 255, bias=True)
    found = np.cov(shifts(pixels, 50_000).T)
    np.testing.assert_allclose(found, 0.1**2 * covariance @ covariance, rtol=0.05)


def test_std_scales_it(pixels: torch.Tensor) -> None:
    np.testing.assert_allclose(shifts(pixels, 10, std=0.3), 3 * shifts(pixels, 10), rtol=1e-4)
    assert not shifts(pixels, 10, std=0.0).any()


def test_components_come_from_the_training_split_alone(pixels: torch.Tensor) -> None:
    labels = torch.zeros(200, dtype=torch.int64)
    found = []
    for test in (pixels, 255 - pixels // 7):
        augment = build("color_pca")
        ResidentData(Splits(Split(pixels, labels), Split(test, labels)), augment, 0, torch.device("cpu"))
        found.append(augment.apply(torch.zeros(5, 3, 2, 2), drawn(augment, 5)))
    assert torch.equal(*found)


def test_grey_images_get_lighter_or_darker(pixels: torch.Tensor) -> None:
    augment = build("color_pca")
    augment.fit(PixelStatistics(lambda: [pixels[:, :1]]))
    assert drawn(augment, 7).shape == (7, 1)


def test_a_negative_std_is_refused() -> None:
    with pytest.raises(InputError, match=r"augment\.std=-1"):
        build("color_pca", std=-1.0)


# chain


def test_a_chain_is_its_steps_in_their_order(pixels: torch.Tensor) -> None:
    steps = [build("crop_flip", pixels=2), build("color_pca")]
    chain = build("chain", steps=[{"name": "crop_flip", "pixels": 2}, "color_pca"])
    for augment in (*steps, chain):
        augment.fit(PixelStatistics(lambda: [pixels]))
    images, stream = torch.randn(9, 3, 6, 6), torch.Generator().manual_seed(3)
    expected = images
    for step in steps:
        expected = step.apply(expected, step.draw(9, stream))
    assert torch.equal(chain.apply(images, drawn(chain, 9, seed=3)), expected)


def test_a_chain_cuts_files_by_the_step_that_can() -> None:
    chain, alone = build("chain", steps=["none", "resized_crop"]), build("resized_crop")
    assert chain.window(drawn(chain, 4)[2], 300, 400, (8, 8)) == alone.window(drawn(alone, 4)[2], 300, 400, (8, 8))
    nothing = build("chain", steps=["none", "shift"])
    assert nothing.window(drawn(nothing, 4)[2], 300, 400, (8, 8)) is None


def test_a_chain_does_not_cut_twice() -> None:
    chain, alone = build("chain", steps=["resized_crop", "none"]), build("resized_crop")
    images = torch.randn(4, 3, 8, 8)
    assert torch.equal(chain.finish(images, drawn(chain, 4)), alone.finish(images, drawn(alone, 4)))


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([], r"augment\.steps=\[\]"),
        (["crop_flop"], "unknown augment 'crop_flop'; did you mean 'crop_flip'"),
        ([{"name": "shift", "pixel": 2}], "unknown option of augment 'shift' 'pixel'; did you mean 'pixels'"),
        ([{"name": "chain", "steps": ["none"]}], "a chain has no chain in it"),
    ],
)
def test_a_chain_of_what_does_not_exist_is_refused(steps: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build("chain", steps=steps)
