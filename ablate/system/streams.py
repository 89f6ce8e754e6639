"""Named random streams: what is drawn depends on the names of the stream, never on what else was drawn before."""

from __future__ import annotations

from hashlib import blake2b

import torch


def stream_seed(seed: int, *names: str | int) -> int:
    """A 64-bit seed from the study's seed and the names of a stream, the same on every machine and in every process."""
    # `repr` tells 1 from "1" and ("a", "bc") from ("ab", "c"), which joined text would not. Python's own `hash` of text
    # differs from process to process.
    key = repr((int(seed), *(name if isinstance(name, str) else int(name) for name in names)))
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "little")


def generator(seed: int, *names: str | int, device: str | torch.device = "cpu") -> torch.Generator:
    """A fresh generator for the stream of these names, such as `generator(0, "init", "stem.conv.weight", 16, 3, 3, 3)`.

    Args:
        seed: the seed of the cell.
        names: what the stream is for.
        device: where the draws are made; streams of different devices differ.
    """
    return torch.Generator(device=device).manual_seed(stream_seed(seed, *names))


def seed_device(seed: int, device: torch.device) -> None:
    """Seed what operations draw from by default on the CPU and on a device, and nothing else.

    `torch.manual_seed` seeds every kind of device, and keeps a stack trace for each that is not in use.
    """
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)
