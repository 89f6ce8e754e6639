"""Windows of random scale: where they lie, how often, and what is cut out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ablate import Augment, InputError, registry
from ablate.config.compose import prepare

SIZE = (8, 8)


def build(name: str, **options: Any) -> Augment:
    prepare()
    return registry.build("augment", {"name": name, **options})


def drawn(augment: Augment, samples: int, seed: int = 0) -> torch.Tensor:
    return augment.draw(samples, torch.Generator().manual_seed(seed))


def windows(augment: Augment, height: int, width: int, samples: int = 4000) -> np.ndarray:
    """(samples, 4): top, left, height, width, as a reader of files asks for them."""
    choices = drawn(augment, samples)
    found = [augment.window(choice, height, width, SIZE) for choice in choices]
    return np.array([(one.top, one.left, one.height, one.width) for one in found if one])


def bilinear(image: np.ndarray, top: float, left: float, height: float, width: float) -> np.ndarray:
    """The window of (C, H, W), scaled to (H, W), a pixel at a time in float64; edges repeat."""
    _, rows, columns = image.shape
    out = np.zeros_like(image, dtype=np.float64)
    for y in range(rows):
        for x in range(columns):
            source_y = top + (y + 0.5) / rows * height - 0.5
            source_x = left + (x + 0.5) / columns * width - 0.5
            y0, x0 = int(np.floor(source_y)), int(np.floor(source_x))
            for dy in (0, 1):
                for dx in (0, 1):
                    weight = (1 - abs(source_y - y0 - dy)) * (1 - abs(source_x - x0 - dx))
                    inside = np.clip(y0 + dy, 0, rows - 1), np.clip(x0 + dx, 0, columns - 1)
                    out[:, y, x] += weight * image[:, inside[0], inside[1]]
    return out


@pytest.mark.parametrize(("name", "options"), [("scale_jitter", {}), ("resized_crop", {})])
def test_images_in_memory_are_cut_as_written_pixel_by_pixel(name: str, options: dict[str, Any]) -> None:
    augment = build(name, **options)
    images = torch.randn(20, 3, 6, 9, generator=torch.Generator().manual_seed(1))
    choices = drawn(augment, 20)
    expected = []
    for image, choice in zip(images.numpy(), choices, strict=True):
        window = augment.window(choice, 6, 9, (6, 9))
        assert window is not None
        cut = bilinear(image, window.top, window.left, window.height, window.width)
        expected.append(cut[:, :, ::-1] if choice[-1] < 0.5 else cut)
    np.testing.assert_allclose(augment.apply(images, choices), np.stack(expected), atol=1e-4)


@pytest.mark.parametrize("name", ["scale_jitter", "resized_crop"])
@pytest.mark.parametrize(("height", "width"), [(375, 500), (500, 375), (300, 300), (60, 600), (900, 40)])
def test_no_window_reaches_out_of_its_image(name: str, height: int, width: int) -> None:
    top, left, tall, wide = windows(build(name), height, width).T
    slack = 1e-9 * max(height, width)
    assert top.min() >= 0
    assert left.min() >= 0
    assert min(tall.min(), wide.min()) > 0
    assert (top + tall).max() <= height + slack
    assert (left + wide).max() <= width + slack


def test_scale_jitter_scales_the_shortest_side_between_256_and_512() -> None:
    """A crop of 224 pixels is that share of the shortest side."""
    _, _, tall, wide = windows(build("scale_jitter"), 375, 500).T
    np.testing.assert_allclose(tall, wide)
    shortest = 224 / (tall / 375)
    assert abs(shortest.min() - 256) < 1
    assert abs(shortest.max() - 512) < 1
    assert abs(shortest.mean() - 384) < 5


def test_scale_jitter_crops_everywhere() -> None:
    top, left, tall, wide = windows(build("scale_jitter"), 375, 500).T
    for share in (top / (375 - tall), left / (500 - wide)):
        np.testing.assert_allclose(np.histogram(share, bins=4, range=(0, 1))[0], 1000, rtol=0.12)


def test_scale_jitter_has_the_papers_fixed_scale() -> None:
    _, _, tall, wide = windows(build("scale_jitter", smallest=384, largest=384), 768, 1000).T
    np.testing.assert_allclose([tall.min(), tall.max(), wide.min(), wide.max()], 448)


def test_scale_jitter_takes_images_of_any_size_by_the_same_ratios() -> None:
    small = windows(build("scale_jitter", smallest=32, largest=48, crop=32), 32, 32)
    large = windows(build("scale_jitter", smallest=320, largest=480, crop=320), 320, 320)
    np.testing.assert_allclose(small * 10, large)


def test_a_window_of_the_whole_image_changes_nothing() -> None:
    augment = build("scale_jitter", smallest=8, largest=8, crop=8, flip=False)
    images = torch.randn(10, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(augment.apply(images, drawn(augment, 10)), images, rtol=1e-5, atol=1e-5)


def test_resized_crop_takes_every_share_of_the_area_alike() -> None:
    _, _, tall, wide = windows(build("resized_crop"), 400, 500).T
    share = tall * wide / (400 * 500)
    assert abs(share.min() - 0.08) < 0.002
    assert share.max() <= 1 + 1e-9
    np.testing.assert_allclose(np.histogram(share, bins=4, range=(0.08, 1))[0], 1000, rtol=0.12)


def test_resized_crop_has_ratios_of_three_quarters_to_four_thirds_alike() -> None:
    _, _, tall, wide = windows(build("resized_crop", largest=0.5), 400, 400).T
    ratio = np.log(wide / tall)
    np.testing.assert_allclose([ratio.min(), ratio.max()], [-np.log(4 / 3), np.log(4 / 3)], atol=0.01)
    np.testing.assert_allclose(np.histogram(ratio, bins=4)[0], 1000, rtol=0.12)


def test_resized_crop_of_a_strip_keeps_as_near_to_the_ratio_as_fits() -> None:
    _, _, tall, wide = windows(build("resized_crop", smallest=0.9), 60, 600).T
    np.testing.assert_allclose(tall, 60, rtol=1e-5)
    assert (wide >= 0.9 * 600 - 1e-3).all()


@pytest.mark.parametrize("name", ["scale_jitter", "resized_crop"])
def test_half_are_mirrored_and_none_where_it_is_turned_off(name: str) -> None:
    assert abs((drawn(build(name), 20_000)[:, -1] < 0.5).double().mean() - 0.5) < 0.02
    augment = build(name, flip=False)
    images = torch.randn(50, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(augment.finish(images, drawn(augment, 50)), images)


WRONG = [
    ("scale_jitter", {"smallest": 200}, r"augment\.smallest=200: must be at least 224"),
    ("scale_jitter", {"largest": 250}, r"augment\.largest=250: must be at least augment\.smallest, which is 256"),
    ("scale_jitter", {"crop": 0}, r"augment\.crop=0"),
    ("resized_crop", {"smallest": 0.0}, r"augment\.smallest=0"),
    ("resized_crop", {"largest": 1.5}, r"augment\.largest=1\.5"),
    ("resized_crop", {"smallest": 0.5, "largest": 0.4}, r"augment\.largest=0\.4"),
    ("resized_crop", {"ratio": 0.5}, r"augment\.ratio=0\.5"),
]


@pytest.mark.parametrize(("name", "options", "message"), WRONG)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(name, **options)
