"""How the bench's fast parts compute their steps: as `trainer=auto` would on this machine, measured anew."""

from __future__ import annotations

import os
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from ablate.bench.processes import hear, started
from ablate.bench.setting import SMALLEST_IMAGES, Setting, noise
from ablate.errors import InputError
from ablate.system.process_tree import end_with_parent
from ablate.training.numerics import Numerics
from ablate.tuning.trial import find

# The training of CIFAR-10 that the fast parts stand for (He et al. 2016, section 4.2: 64,000 steps): whether a compiler
# is worth its time depends on how long a cell trains.
IMAGES, EPOCHS = 50_000, 164


@dataclass(frozen=True)
class Picked:
    """What `trainer=auto` takes.

    Attributes:
        numerics: how steps are computed.
        why: what was measured, in words.
    """

    numerics: Numerics
    why: str

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {**self.numerics.to_dict(), "why": self.why}

    def __str__(self) -> str:
        return f"trainer=auto picks {self.numerics} ({self.why})"


def pick(setting: Setting) -> Picked:
    """What is fastest for ResNet-20 on 32x32 images, on the device of a slot and with its one thread.

    Nothing that a study measured here before is taken: it may have been disturbed.

    Raises:
        InputError: nothing runs here; says why.
    """
    epochs, images = (1, SMALLEST_IMAGES) if setting.smallest else (EPOCHS, IMAGES)
    config = noise(20, epochs, images, "trainer=auto")
    with started(_find, config, setting.device, os.getcwd()) as pipe:
        answer = hear(pipe)
    if isinstance(answer, str):
        raise InputError(answer)
    numerics, trials = answer
    what = (
        f"milliseconds a step of ResNet-20, 32x32, batch {config['data']['batch_size']} on {setting.device}, 1 thread"
    )
    return Picked(numerics, f"{what}: {'; '.join(map(str, trials))}")


def _find(config: dict[str, Any], device: str, cwd: str, tell: Connection) -> None:
    """The search of a study, in a process that knows the bench's data set."""
    import ablate.bench.images  # noqa: F401 - registers it

    end_with_parent()
    find(config, {}, device, 1, cwd, tell)
