"""What all figures of a bench share: device, repetitions, and the configs of the networks that they train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ablate.bench.sizing import count_for
from ablate.study.plan import Cell, plan_study
from ablate.training.numerics import Numerics

SMALLEST_IMAGES = 256
MORE_ON_A_CARD = 10  # times the images of an epoch, which would otherwise be over before it has begun


@dataclass(frozen=True)
class Setting:
    """Where and how often to measure.

    Attributes:
        device: `cpu` or such as `cuda:0`.
        pairs: repetitions of each figure.
        fit_seconds: that each fit is to last at least.
        smallest: everything as small as it goes, to see that it works; its figures say nothing.
        numerics: how the steps of the parts that are to be fast are computed: what `trainer=auto` has picked.
    """

    device: str
    pairs: int
    fit_seconds: float = 0.0
    smallest: bool = False
    numerics: Numerics = field(default_factory=Numerics)

    @property
    def fast(self) -> list[str]:
        """The options of `numerics`, as one types them."""
        form = str(self.numerics.channels_last).lower()
        chosen = {"precision": self.numerics.precision, "compile": self.numerics.compile, "channels_last": form}
        return [f"trainer.{key}={value}" for key, value in chosen.items()]

    def images(self, number: int) -> int:
        """Of an epoch of random images, for so many on a CPU. A fit that is to last longer has more epochs of them."""
        if self.smallest:
            return SMALLEST_IMAGES
        return number * MORE_ON_A_CARD if self.device.startswith("cuda") else number

    def count(self, fit: Callable[[int], float], first: int = 1) -> int:
        """How many epochs or steps make a fit long enough; `first` where everything is to be small.

        Args:
            fit: runs one of so many, and gives its seconds. It is run at least once: what follows finds it warm.
            first: how many the first trial has.
        """
        return count_for(0.0 if self.smallest else self.fit_seconds, fit, first)


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


def of_epochs(config: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    """A config with another number of epochs, measured once, after the last."""
    return {**config, "trainer": {**config["trainer"], "epochs": epochs, "eval_every": epochs}}
