"""Data sets in the formats of their published files, with noise for pictures."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

TRAIN = [f"data_batch_{number}" for number in range(1, 6)]


def batch(samples: int, seed: int) -> dict[bytes, Any]:
    random = np.random.default_rng(seed)
    return {
        b"batch_label": b"training batch",
        b"labels": random.integers(0, 10, samples).tolist(),
        b"data": random.integers(0, 256, (samples, 3072), dtype=np.uint8),
        b"filenames": [b"image.png"] * samples,
    }


def batch_100(samples: int, seed: int) -> dict[bytes, Any]:
    content = batch(samples, seed)
    random = np.random.default_rng(seed)
    del content[b"labels"]
    coarse, fine = random.integers(0, 20, samples), random.integers(0, 100, samples)
    return {**content, b"coarse_labels": coarse.tolist(), b"fine_labels": fine.tolist()}


def as_python_2_wrote_it(content: dict[bytes, Any]) -> bytes:
    """The archive's own pickles: protocol 2, and NumPy by its old module name."""
    return pickle.dumps(content, protocol=2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def write_cifar10(root: Path, samples: int = 4) -> None:
    """The six files, with so many images each."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for seed, name in enumerate([*TRAIN, "test_batch"]):
        (folder / name).write_bytes(as_python_2_wrote_it(batch(samples, seed)))


def write_cifar100(root: Path, samples: int = 4) -> None:
    """The two files."""
    folder = root / "cifar-100-python"
    folder.mkdir(parents=True)
    for seed, name in enumerate(["train", "test"]):
        (folder / name).write_bytes(as_python_2_wrote_it(batch_100(samples, seed)))


def cifar10_archive(samples: int = 4) -> bytes:
    """The tar.gz, with the page that the authors put beside the batches."""
    names = {name: as_python_2_wrote_it(batch(samples, seed)) for seed, name in enumerate([*TRAIN, "test_batch"])}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in {**names, "readme.html": b"<meta>"}.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def idx(array: np.ndarray) -> bytes:
    """An IDX file: two zeros, 8 for unsigned bytes, the number of dimensions, each of them, the values."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(root: Path, samples: int = 4, name: str = "mnist", *, packed: bool = True) -> None:
    """The four files."""
    folder = root / name
    folder.mkdir(parents=True)
    for seed, part in enumerate(["train", "t10k"]):
        random = np.random.default_rng(seed)
        arrays = {
            "images-idx3-ubyte": random.integers(0, 256, (samples, 28, 28), dtype=np.uint8),
            "labels-idx1-ubyte": random.integers(0, 10, samples, dtype=np.uint8),
        }
        for kind, array in arrays.items():
            content = gzip.compress(idx(array)) if packed else idx(array)
            (folder / f"{part}-{kind}{'.gz' if packed else ''}").write_bytes(content)


def svhn(samples: int, seed: int) -> dict[str, Any]:
    """Pictures as the file has them, the last axis first in ours, and labels from 1 to 10."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (32, 32, 3, samples), dtype=np.uint8)
    return {"X": pixels, "y": random.integers(1, 11, (samples, 1), dtype=np.uint8)}


def write_svhn(root: Path, samples: int = 4) -> None:
    """The two MATLAB files."""
    folder = root / "svhn"
    folder.mkdir(parents=True)
    for seed, name in enumerate(["train_32x32.mat", "test_32x32.mat"]):
        scipy.io.savemat(folder / name, svhn(samples, seed), do_compression=True)
