"""Pictures of any size and format as images of one size, through Pillow."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablate import Framing, InputError, Window

MODES = {1: "L", 3: "RGB"}
"""What a picture is converted to: a grey photograph in a coloured set gets three equal channels."""


def pillow() -> Any:
    """The module PIL.Image.

    Raises:
        InputError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError("reading pictures needs Pillow: pip install 'pillow>=11'") from error
    return Image


def check_channels(channels: int) -> None:
    """Refuse images that are neither grey nor coloured.

    Raises:
        InputError: says so.
    """
    if channels not in MODES:
        raise InputError(f"data.channels={channels}: 1 for grey images, 3 for coloured ones")


def check_resize(resize: int | None, size: int) -> None:
    """Refuse a shortest side that the images do not fit into.

    Raises:
        InputError: says so.
    """
    if resize is not None and resize < size:
        raise InputError(f"data.resize={resize}: must be at least data.size, which is {size}")


def framed(picture: Any, channels: int, size: tuple[int, int], framing: Framing, resize: int) -> Tensor:
    """A window of a picture (PIL.Image.Image) as an image (C, *size) uint8, averaged over the pixels that it takes.

    Args:
        picture: it is decoded here.
        channels: 1 or 3.
        size: height and width of the image.
        framing: from the picture's height and width to the window.
        resize: where framing says None, the shortest side that the picture is scaled to before the centre is cut out.
    """
    width, height = picture.size
    window = framing(height, width) or centre(height, width, size, resize)
    box = (
        max(0.0, window.left),
        max(0.0, window.top),
        min(float(width), window.left + window.width),
        min(float(height), window.top + window.height),
    )
    colored = picture.convert(MODES[channels])
    return as_tensor(colored.resize((size[1], size[0]), pillow().Resampling.BILINEAR, box=box), channels)


def whole(picture: Any, channels: int, size: tuple[int, int], what: str) -> Tensor:
    """A picture that has the size already, as an image (C, *size) uint8.

    Raises:
        InputError: it has another size; `what` names it.
    """
    width, height = picture.size
    if (height, width) != size:
        raise InputError(
            f"{what} is {height}x{width} pixels, not {size[0]}x{size[1]}; data.resize=... scales and crops pictures"
        )
    return as_tensor(picture.convert(MODES[channels]), channels)


def centre(height: int, width: int, size: tuple[int, int], resize: int) -> Window:
    """The window in the middle that has `size` once the shortest side is `resize` pixels long.

    Raises:
        InputError: `size` is more than that.
    """
    if max(size) > resize:
        raise InputError(
            f"crops around the centre need {max(size)} pixels, and data.resize={resize} leaves fewer; "
            "raise it, or lower evaluation.pixels"
        )
    scale = min(height, width) / resize
    tall, wide = size[0] * scale, size[1] * scale
    return Window((height - tall) / 2, (width - wide) / 2, tall, wide)


def as_tensor(picture: Any, channels: int) -> Tensor:
    """(C, H, W) uint8 of a picture that is in the mode of so many channels."""
    pixels = np.array(picture, dtype=np.uint8).reshape(picture.height, picture.width, channels)
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
