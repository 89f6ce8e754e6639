"""Evaluation on one crop of an image, or on ten."""

from collections.abc import Iterator

from torch import Tensor

from ablate import Evaluation, InputError, register


@register("evaluation", "center_crop")
class CenterCrop(Evaluation):
    """The image as it is; of a larger one, such as a photograph in a file, its centre."""

    def views(self, images: Tensor) -> Iterator[Tensor]:
        """The one view."""
        yield images


@register("evaluation", "ten_crop")
class TenCrop(Evaluation):
    """Four corners, the centre, and their mirror images (Krizhevsky et al. 2012, section 4.1).

    Args:
        pixels: from the centre crop to the corner crops along each side. A photograph is read with so much more around
            its centre (the paper: 16, crops of 224 out of 256 pixels); around a small image stand zeros, as they do
            under crop_flip.
    """

    def __init__(self, *, pixels: int = 4) -> None:
        if pixels < 1:
            raise InputError(f"evaluation.pixels={pixels}: must be at least 1")
        self.margin = pixels

    def views(self, images: Tensor) -> Iterator[Tensor]:
        """The ten, each followed by its mirror image."""
        height, width = (side - 2 * self.margin for side in images.shape[2:])
        end, middle = 2 * self.margin, self.margin
        for top, left in [(0, 0), (0, end), (end, 0), (end, end), (middle, middle)]:
            crop = images[:, :, top : top + height, left : left + width]
            yield crop
            yield crop.flip(-1)
