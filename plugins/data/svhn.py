"""SVHN from its published files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ablate import InputError, Split, register

from ._download import Remote
from ._hub import HubSet
from ._published import Published

FILES = ("train_32x32.mat", "test_32x32.mat")
ZERO = 10  # the files' label of the digit 0


@register("data", "svhn")
class Svhn(Published):
    """73,257 and 26,032 house numbers of 32x32 pixels, 10 classes (Netzer et al. 2011), from a folder or the hub."""

    channels, size, classes = 3, (32, 32), 10
    samples = (73_257, 26_032)
    imports = ("scipy.io",)
    title = "SVHN"
    home = "http://ufldl.stanford.edu/housenumbers"
    folder_name = "svhn"
    remotes = (
        Remote("http://ufldl.stanford.edu/housenumbers/train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
        Remote("http://ufldl.stanford.edu/housenumbers/test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
    )
    hub = HubSet("ufldl-stanford/svhn", config="cropped_digits", image="image", label="label")

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return [folder / name for name in FILES]

    def missing(self) -> list[str]:
        return [name for name in FILES if not (self.folder / name).is_file()]

    def read(self) -> tuple[Split, Split]:
        train, test = (_read(self.folder / name) for name in FILES)
        return train, test


def _read(path: Path) -> Split:
    """A MATLAB file with X (32, 32, 3, N) uint8 and y (N, 1), in 1 .. 10."""
    from scipy.io import loadmat

    try:
        content = loadmat(path)
        images, labels = np.asarray(content["X"]), np.asarray(content["y"]).reshape(-1)
    except Exception as error:  # what a file that is not whole raises has no common kind
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{path} is not an SVHN file ({reason}); delete it and get it again") from error
    if images.dtype != np.uint8 or images.shape != (32, 32, 3, len(labels)):
        raise InputError(
            f"{path} is not an SVHN file: X is {images.dtype} {images.shape}, not uint8 (32, 32, 3, {len(labels)})"
        )
    if not np.isin(labels, np.arange(1, ZERO + 1)).all():
        raise InputError(f"{path} is not an SVHN file: labels are not all in 1 to {ZERO}")
    pixels = np.ascontiguousarray(images.transpose(3, 2, 0, 1))
    return Split(torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64) % ZERO))
