"""Augmentations against the same thing written image by image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ablate import Augment, InputError, registry
from ablate.config.compose import prepare


def build(name: str, **options: Any) -> Augment:
    prepare()
    return registry.build("augment", {"name": name, **options})


def drawn(augment: Augment, samples: int, seed: int = 0) -> torch.Tensor:
    return augment.draw(samples, torch.Generator().manual_seed(seed))


def images(samples: int = 40, size: tuple[int, int] = (5, 7)) -> torch.Tensor:
    return torch.randn(samples, 3, *size, generator=torch.Generator().manual_seed(1))


def window(image: np.ndarray, pixels: int, top: int, left: int) -> np.ndarray:
    """The window at (top, left) of the image with `pixels` of zeros around it, a pixel at a time."""
    channels, height, width = image.shape
    cut = np.zeros_like(image)
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                source_y, source_x = y + top - pixels, x + left - pixels
                if 0 <= source_y < height and 0 <= source_x < width:
                    cut[c, y, x] = image[c, source_y, source_x]
    return cut


@pytest.mark.parametrize("pixels", [0, 1, 3, 9])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_shift_moves_each_image_by_its_own_offset(pixels: int, memory_format: torch.memory_format) -> None:
    augment, given = build("shift", pixels=pixels), images()
    choices = drawn(augment, len(given))
    shifted = augment.apply(given.contiguous(memory_format=memory_format), choices)
    expected = [window(image, pixels, *offset) for image, offset in zip(given.numpy(), choices.tolist(), strict=True)]
    np.testing.assert_array_equal(shifted.numpy(), np.stack(expected))


def test_crop_flip_crops_then_flips_left_and_right() -> None:
    augment, given = build("crop_flip"), images()
    choices = drawn(augment, len(given))
    expected = []
    for image, (top, left, flip) in zip(given.numpy(), choices.tolist(), strict=True):
        cut = window(image, 4, top, left)
        expected.append(cut[:, :, ::-1] if flip else cut)
    np.testing.assert_array_equal(augment.apply(given, choices).numpy(), np.stack(expected))


@pytest.mark.parametrize(("name", "pixels"), [("shift", 1), ("shift", 2), ("crop_flip", 4)])
def test_every_offset_is_as_likely(name: str, pixels: int) -> None:
    choices = drawn(build(name, pixels=pixels), 20_000)
    for axis in (0, 1):
        counts = torch.bincount(choices[:, axis])
        assert len(counts) == 2 * pixels + 1
        expected = 20_000 / len(counts)
        assert (counts - expected).abs().max() < 5 * expected**0.5
    both = choices[:, 0] * 100 + choices[:, 1]
    assert len(both.unique()) == (2 * pixels + 1) ** 2, "rows and columns move independently"


def test_half_of_the_images_are_flipped() -> None:
    flips = drawn(build("crop_flip"), 20_000)[:, 2]
    assert set(flips.tolist()) == {0, 1}
    assert abs(flips.double().mean() - 0.5) < 0.02


@pytest.mark.parametrize("name", ["shift", "crop_flip"])
def test_choices_come_from_the_generator_alone(name: str) -> None:
    augment = build(name)
    assert torch.equal(drawn(augment, 100), drawn(augment, 100))
    assert not torch.equal(drawn(augment, 100), drawn(augment, 100, seed=1))


@pytest.mark.parametrize("name", ["shift", "crop_flip", "none"])
def test_a_batch_of_one_is_part_of_the_whole(name: str) -> None:
    augment, given = build(name), images()
    choices = drawn(augment, len(given))
    whole = augment.apply(given, choices)
    alone = augment.apply(given[7:8], None if choices is None else choices[7:8])
    assert torch.equal(alone[0], whole[7])


def test_none_changes_nothing() -> None:
    augment, given = build("none"), images()
    assert drawn(augment, 3) is None
    assert torch.equal(augment.apply(given, None), given)


@pytest.mark.parametrize("name", ["shift", "crop_flip"])
def test_a_shift_is_not_negative(name: str) -> None:
    with pytest.raises(InputError, match=r"augment\.pixels=-1"):
        build(name, pixels=-1)
