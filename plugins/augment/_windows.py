"""Augmentations that scale a random window of an image to the size of a training image."""

import abc

import torch
from torch import Tensor
from torch.nn import functional as F

from ablate import Augment, Window


class Windowed(Augment):
    """A window of the image, scaled to the size of a training image, and mirrored at random.

    The window is cut out of the photograph itself where it is read from a file, and out of the image in memory where
    the data set has no larger one: there bilinear interpolation makes up the pixels.

    Args:
        flip: mirror half of the images.
    """

    def __init__(self, flip: bool) -> None:
        self.flip = flip

    @abc.abstractmethod
    def windows(self, choices: Tensor, height: int, width: int, size: tuple[int, int]) -> Tensor:
        """Top, left, height and width (N, 4) of the windows, in pixels of images (height, width), not outside of them.

        Args:
            choices: (N, k), as `draw` made them; the last column belongs to the flip.
            height: of the images.
            width: of the images.
            size: height and width of the training images.
        """

    def apply(self, images: Tensor, choices: Tensor) -> Tensor:
        """Cut the windows out of images (N, C, H, W), scale them to (H, W), mirror."""
        height, width = images.shape[2:]
        windows = self.windows(choices, height, width, (height, width)).to(images.dtype)
        return self.finish(cut_out(images, windows), choices)

    def window(self, choice: Tensor, height: int, width: int, size: tuple[int, int]) -> Window:
        return Window(*self.windows(choice[None], height, width, size)[0].tolist())

    def finish(self, images: Tensor, choices: Tensor) -> Tensor:
        """Mirror."""
        if not self.flip:
            return images
        return torch.where(choices[:, -1, None, None, None] < 0.5, images.flip(-1), images)


def cut_out(images: Tensor, windows: Tensor) -> Tensor:
    """Windows (N, 4) of images (N, C, H, W), scaled to (H, W); bilinear, with pixels as unit squares."""
    _, _, height, width = images.shape
    top, left, tall, wide = windows[:, :, None].unbind(1)
    rows = top + tall * _centres(height, images)
    columns = left + wide * _centres(width, images)
    # The grid counts from -1 at the outer edge of the first pixel to 1 at that of the last.
    y = (2 / height * rows - 1)[:, :, None].expand(-1, height, width)
    x = (2 / width * columns - 1)[:, None, :].expand(-1, height, width)
    grid = torch.stack([x, y], dim=3)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _centres(pixels: int, like: Tensor) -> Tensor:
    """(pixels,): the middle of each, as a share of the side."""
    return (torch.arange(pixels, device=like.device, dtype=like.dtype) + 0.5) / pixels
