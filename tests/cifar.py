"""CIFAR-10 in the format of its published archive, with noise for photographs."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

TRAIN = [f"data_batch_{number}" for number in range(1, 6)]


def batch(samples: int, seed: int) -> dict[bytes, Any]:
    random = np.random.default_rng(seed)
    return {
        b"batch_label": b"training batch",
        b"labels": random.integers(0, 10, samples).tolist(),
        b"data": random.integers(0, 256, (samples, 3072), dtype=np.uint8),
        b"filenames": [b"image.png"] * samples,
    }


def as_python_2_wrote_it(content: dict[bytes, Any]) -> bytes:
    """The archive's own pickles: protocol 2, and NumPy by its old module name."""
    return pickle.dumps(content, protocol=2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def write_cifar10(root: Path, samples: int = 4) -> None:
    """The six files, with so many images each."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for seed, name in enumerate([*TRAIN, "test_batch"]):
        (folder / name).write_bytes(as_python_2_wrote_it(batch(samples, seed)))
