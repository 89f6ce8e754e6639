"""Pictures of any size and format as images of one size, through Pillow.

What is shown of a picture, wherever it comes from:

- upright, as its EXIF orientation says: so do viewers, and so does Hugging Face `datasets`; torchvision does not
- values of 16 bits a channel by their upper 8, so that full scale stays full scale
- colours as they are stored, whatever is transparent; the first frame of several

Values of 32 bits and floats have no scale of their own, and are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablate import Framing, InputError, Window

MODES = {1: "L", 3: "RGB"}
"""What a picture is converted to: a grey photograph in a coloured set gets three equal channels."""
ORIENTATION = 0x0112  # the EXIF tag
UPRIGHT = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE",
    8: "ROTATE_90",
}  # fmt: skip
"""What brings a picture of this orientation upright, as Pillow calls it."""
BITS_PER_SAMPLE, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0  # of TIFF


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
    colored = decoded(picture, channels)
    width, height = colored.size
    window = framing(height, width) or centre(height, width, size, resize)
    box = (
        max(0.0, window.left),
        max(0.0, window.top),
        min(float(width), window.left + window.width),
        min(float(height), window.top + window.height),
    )
    return as_tensor(colored.resize((size[1], size[0]), pillow().Resampling.BILINEAR, box=box), channels)


def whole(picture: Any, channels: int, size: tuple[int, int], what: str) -> Tensor:
    """A picture that has the size already, as an image (C, *size) uint8.

    Raises:
        InputError: it has another size; `what` names it.
    """
    colored = decoded(picture, channels)
    width, height = colored.size
    if (height, width) != size:
        raise InputError(
            f"{what} is {height}x{width} pixels, not {size[0]}x{size[1]}; data.resize=... scales and crops pictures"
        )
    return as_tensor(colored, channels)


@contextmanager
def reading(what: str, remedy: str = "") -> Iterator[None]:
    """Name a picture in the errors of reading it.

    Args:
        what: the picture.
        remedy: what to do about it.

    Raises:
        InputError: in place of what Pillow raises for a file that is not whole or no picture.
    """
    try:
        yield
    # Beside its own errors Pillow lets those of its decoders through: SyntaxError for a broken PNG, for one.
    except (OSError, SyntaxError, ValueError, EOFError, pillow().DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{what} cannot be read as a picture ({reason}){remedy and f'; {remedy}'}") from error


def decoded(picture: Any, channels: int) -> Any:
    """A picture (PIL.Image.Image) upright and with so many channels of 8 bits.

    Raises:
        ValueError: its values have no scale of 8 bits.
    """
    picture.load()  # first: Pillow itself brings a TIFF upright here
    colored = _eight_bits(picture).convert(MODES[channels])
    turn = UPRIGHT.get(_orientation(picture))
    return colored.transpose(pillow().Transpose[turn]) if turn else colored


def _orientation(picture: Any) -> Any:
    try:
        return picture.getexif().get(ORIENTATION)
    except Exception:  # whatever is wrong with what a camera wrote beside it, the picture itself was decoded
        return None


def _eight_bits(picture: Any) -> Any:
    """A picture whose channels have 8 bits, in a mode that converts to grey and to colour."""
    if picture.mode.startswith("I;16"):
        return _upper_bits(picture, _bits(picture))
    if picture.mode == "I" and picture.format == "PPM":  # scaled to 16 bits, whatever its largest value
        return _upper_bits(picture, 16)
    if picture.mode in {"I", "F"}:
        raise ValueError("its values of 32 bits have no scale of 8; save it with 8 or 16 bits a channel")
    if picture.mode == "P" and "transparency" in picture.info:
        return picture.convert("RGBA")  # which Pillow asks for, with a warning
    return picture


def _upper_bits(picture: Any, bits: int) -> Any:
    # `convert` would not scale: all values above 255, nearly the whole picture, become white.
    values = np.asarray(picture).astype(np.int32) >> (bits - 8)
    white_is_zero = getattr(picture, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO
    return pillow().fromarray((255 - values if white_is_zero else values).astype(np.uint8))


def _bits(picture: Any) -> int:
    """Bits of a value: 16, or as a TIFF says, such as 12."""
    (bits, *_) = getattr(picture, "tag_v2", {}).get(BITS_PER_SAMPLE) or (16,)
    return int(bits)


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
