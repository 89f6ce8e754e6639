"""What all figures of a bench share: device, repetitions, and the configs of the networks that they train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ablate.study.plan import Cell, plan_study


@dataclass(frozen=True)
class Setting:
    """Where and how often to measure.

    Attributes:
        device: `cpu` or such as `cuda:0`.
        pairs: repetitions of each figure.
    """

    device: str
    pairs: int

    @property
    def fast(self) -> list[str]:
        """The options that measure fastest on this kind of device."""
        return ["trainer=bf16", *(["trainer.compile=cudagraphs"] if self.device.startswith("cuda") else [])]


def digits(depth: int, epochs: int, *more: str) -> dict[str, Any]:
    """A residual network of the quick scale, measured once, after its last epoch."""
    return digits_cells(depth, epochs, 1, f"trainer.eval_every={epochs}", *more)[0].config


def digits_cells(depth: int, epochs: int, seeds: int, *more: str) -> list[Cell]:
    """Cells of the quick scale, as a study would train them."""
    return plan_study([f"depth={depth}", f"trainer.epochs={epochs}", f"study.seeds={seeds}", *more]).cells


def noise(depth: int, epochs: int, images: int, *more: str) -> dict[str, Any]:
    """A residual network of the paper's width on random images of CIFAR's shape, with the paper's augmentation."""
    import ablate.bench.images  # noqa: F401 - registers the data set

    sizes = [f"depth={depth}", "width=1.0", f"trainer.epochs={epochs}", f"trainer.eval_every={epochs}"]
    data = ["data=noise", f"data.images={images}", "data.batch_size=128", "augment=crop_flip"]
    return plan_study([*sizes, *data, *more]).cells[0].config
