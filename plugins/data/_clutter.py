"""Scans of digits on textured clutter, a thousand images at a time.

Only sums and products of single numbers are taken, in float32: those come out alike on every machine, which sums over
many numbers, matrix products and resampling routines do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 32
CHUNK = 1000  # images that share a random stream; a smaller set is the beginning of a larger one
CLASSES = 10
LEVELS = 16  # a scan's values are 0 .. 16
FRAGMENTS = 3
TURN = np.pi / 8  # a digit is turned by at most this, to either side
DIGIT_PIXELS = (14, 24)  # side of a scan after scaling
FRAGMENT_PIXELS = (10, 20)
CELLS = (3, 9)  # of the grids of random colours that the background is blended from, along a side
CONTRAST = 0.4  # a digit is at least so much brighter or darker than the background's middle, of 1

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Random = np.random.Generator


@dataclass(frozen=True)
class Pose:
    """Where scans (N) are drawn in an image: centre and side in pixels, and the turn in radians."""

    row: Floats
    column: Floats
    side: Floats
    turn: NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """What is drawn for a thousand images before anything is painted, N being 1000.

    Attributes:
        classes: (N,), of the digits.
        background: (N, 3, 1024).
        fragments: covers (N, 1024) to be and their colours (N, 3, 1): scans (N, 8, 8), poses, colours.
        digits: (N, 8, 8) in 0 .. 1.
        pose: of the digits.
        color: (N, 3, 1), of the digits.
        noise: (N, 3, 1024), added to all pixels.
    """

    classes: NDArray[np.int64]
    background: Floats
    fragments: list[tuple[Floats, Pose, Floats]]
    digits: Floats
    pose: Pose
    color: Floats
    noise: Floats


def chunk(scans: Bytes, labels: NDArray[np.int64], *stream: int) -> tuple[Bytes, NDArray[np.int64]]:
    """The images (1000, 3, 32, 32) and labels (1000,) of a random stream, a hundred of each class.

    Args:
        scans: (N, 8, 8), the digits to draw from.
        labels: (N,), their classes.
        stream: whole numbers that name the stream.
    """
    scene = _drawn(scans, labels, *stream)
    image = scene.background
    for fragments, pose, color in scene.fragments:
        image = _painted(image, _rendered(fragments, pose), color)
    image = _painted(image, _rendered(scene.digits, scene.pose), scene.color) + scene.noise
    pixels = np.clip(image * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
    return pixels.reshape(CHUNK, 3, SIDE, SIDE), scene.classes


def digit_sides(scans: Bytes, labels: NDArray[np.int64], *stream: int) -> Floats:
    """(1000,): the sides of the digits in the images that `chunk` makes, in pixels of 32; without painting them."""
    return _drawn(scans, labels, *stream).pose.side


def _drawn(scans: Bytes, labels: NDArray[np.int64], *stream: int) -> Scene:
    """The random choices. Their order decides the images: whatever is drawn in another one makes others."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence(stream)))
    classes = random.permutation(np.repeat(np.arange(CLASSES), CHUNK // CLASSES))
    chosen = _of_class(random, labels, classes)
    base = _uniform(random, (CHUNK, 3, 1), 0.2, 0.8)
    background = _background(random, base)
    fragments = [
        (
            _fragments(random, scans),
            _poses(random, FRAGMENT_PIXELS, TURN * 8, inside=False),
            _uniform(random, (CHUNK, 3, 1), 0.0, 1.0),
        )
        for _ in range(FRAGMENTS)
    ]
    digits = scans[chosen].astype(np.float32) / np.float32(LEVELS)
    pose = _poses(random, DIGIT_PIXELS, TURN, inside=True)
    color = _contrasting(random, base)
    noise = _uniform(random, background.shape, -0.04, 0.04)
    return Scene(classes.astype(np.int64), background, fragments, digits, pose, color, noise)


def _uniform(random: Random, shape: tuple[int, ...], low: float, high: float) -> Floats:
    return np.float32(low) + random.random(shape, dtype=np.float32) * np.float32(high - low)


def _of_class(random: Random, labels: NDArray[np.int64], classes: NDArray[Any]) -> NDArray[Any]:
    """A random scan of each of these classes."""
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels, minlength=CLASSES)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return order[first[classes] + random.integers(0, counts[classes])]


def _background(random: Random, base: Floats) -> Floats:
    """(N, 3, 1024): grids of random colours of several sizes, blended between their points, around a base colour."""
    image = np.broadcast_to(base, (CHUNK, 3, SIDE * SIDE)).copy()
    for cells, depth in zip(CELLS, (0.25, 0.15), strict=True):
        grid = _uniform(random, (CHUNK, 3, cells, cells), -depth, depth)
        image += _blended(_blended(grid).swapaxes(2, 3)).reshape(image.shape)
    return image


def _blended(grid: Floats) -> Floats:
    """The last axis stretched to 32 values, in between by straight lines."""
    place = np.linspace(0, grid.shape[-1] - 1, SIDE)
    before = np.minimum(place.astype(np.int64), grid.shape[-1] - 2)
    share = (place - before).astype(np.float32)
    return grid[..., before] * (1 - share) + grid[..., before + 1] * share


def _fragments(random: Random, scans: Bytes) -> Floats:
    """(N, 8, 8): random scans of which a random half is left, so that none of them is a digit."""
    chosen = scans[random.integers(0, len(scans), CHUNK)].astype(np.float32) / np.float32(LEVELS)
    half = np.zeros((4, 8, 8), dtype=np.float32)
    half[0, :4], half[1, 4:], half[2, :, :4], half[3, :, 4:] = 1, 1, 1, 1
    return chosen * half[random.integers(0, len(half), CHUNK)]


def _poses(random: Random, pixels: tuple[int, int], turn: float, *, inside: bool) -> Pose:
    """Random ones; inside: the whole scan lies in the image, as far as its turn allows."""
    side = _uniform(random, (CHUNK,), *pixels)
    edge: Floats = side * np.float32(0.5 if inside else 0)
    row = edge + _uniform(random, (CHUNK,), 0, 1) * (SIDE - 2 * edge)
    column = edge + _uniform(random, (CHUNK,), 0, 1) * (SIDE - 2 * edge)
    return Pose(row, column, side, (2 * random.random(CHUNK) - 1) * turn)


def _rendered(scans: Floats, pose: Pose) -> Floats:
    """(N, 1024) in 0 .. 1: how much of each pixel the scans (N, 8, 8) cover; bilinear."""
    padded = np.pad(scans, [(0, 0), (2, 2), (2, 2)])
    width = padded.shape[2]
    centres = np.arange(SIDE, dtype=np.float32) + np.float32(0.5)
    down = (centres[None, :] - pose.row[:, None])[:, :, None]
    right = (centres[None, :] - pose.column[:, None])[:, None, :]
    step = 8 / pose.side
    cos, sin = ((f(pose.turn).astype(np.float32) * step)[:, None, None] for f in (np.cos, np.sin))
    # From the scan's centre, which after padding lies at 5.5 pixel steps; beyond the padding all is zero.
    row = np.clip(cos * down - sin * right + np.float32(5.5), 0, width - 1.001)
    column = np.clip(sin * down + cos * right + np.float32(5.5), 0, width - 1.001)
    top, left = row.astype(np.int32), column.astype(np.int32)
    row -= top
    column -= left
    place = (np.arange(len(scans), dtype=np.int32) * width**2)[:, None, None] + top * width + left
    flat = padded.ravel()
    upper = flat[place] * (1 - column) + flat[place + 1] * column
    lower = flat[place + width] * (1 - column) + flat[place + width + 1] * column
    cover: Floats = upper * (1 - row) + lower * row
    return cover.reshape(len(scans), SIDE * SIDE)


def _painted(image: Floats, cover: Floats, color: Floats) -> Floats:
    """The image (N, 3, 1024) with a colour (N, 3, 1) where the cover (N, 1024) says so."""
    return image + (color - image) * cover[:, None]


def _contrasting(random: Random, base: Floats) -> Floats:
    """(N, 3, 1): colours of which each channel lies well above the base's, or each well below."""
    up = base[:, 0] + base[:, 1] + base[:, 2] < 1.5
    reach = _uniform(random, base.shape, CONTRAST, 1.0)
    return np.where(up[:, :, None], base + (1 - base) * reach, base * (1 - reach)).astype(np.float32)
