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
        fit_seconds: that a fit whose overhead is measured is to last; 0 for a fixed number of epochs.
        smallest: everything as small as it goes, to see that it works; its figures say nothing.
    """

    device: str
    pairs: int
    fit_seconds: float = 0.0
    smallest: bool = False

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


def noise(depth: int | None, epochs: int, images: int, *more: str) -> dict[str, Any]:
    """A residual network of the paper's width on random images of CIFAR's shape, with the paper's augmentation.

    Args:
        depth: of the network; None leaves it to a preset among `more`.
        epochs: of training, measured once, after the last.
        images: to train on.
        more: further overrides, which win.
    """
    import ablate.bench.images  # noqa: F401 - registers the data set

    sizes = [f"depth={depth}", "width=1.0"] if depth is not None else []
    fit = [f"trainer.epochs={epochs}", f"trainer.eval_every={epochs}"]
    data = ["data=noise", f"data.images={images}", "data.batch_size=128", "augment=crop_flip"]
    typed = {text.partition("=")[0]: text for text in [*sizes, *fit, *data, *more]}
    return plan_study(list(typed.values())).cells[0].config
