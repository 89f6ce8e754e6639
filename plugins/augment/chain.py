"""Several augmentations in a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ablate import Augment, InputError, Statistics, Window, build, register


@dataclass(frozen=True)
class Choices:
    """The choices of each step for the same samples; chosen from and moved like a tensor."""

    steps: list[Any]

    def __getitem__(self, index: Any) -> Choices:
        return Choices([None if choices is None else choices[index] for choices in self.steps])

    def to(self, device: torch.device) -> Choices:
        """The same on another device."""
        return Choices([None if choices is None else choices.to(device) for choices in self.steps])


@register("augment", "chain")
class Chain(Augment):
    """Augmentations one after the other, as in `augment.steps=[crop_flip,color_pca]`.

    Where images are read from files, the first step that cuts windows out of them comes before all others.

    Args:
        steps: names of augmentations, or mappings with their options such as `{name: crop_flip, pixels: 2}`.
    """

    def __init__(self, *, steps: list[Any]) -> None:
        if not steps:
            raise InputError("augment.steps=[]: name at least one augmentation, or take augment=none")
        nodes = [step if isinstance(step, Mapping) else {"name": step} for step in steps]
        if any(node.get("name") == "chain" for node in nodes):
            raise InputError("augment.steps: a chain has no chain in it; name its steps here")
        self.steps: list[Augment] = [build("augment", node) for node in nodes]
        cutting = [place for place, step in enumerate(self.steps) if type(step).window is not Augment.window]
        self._cutting = cutting[0] if cutting else None

    def fit(self, statistics: Statistics) -> None:
        for step in self.steps:
            step.fit(statistics)

    def draw(self, samples: int, generator: torch.Generator) -> Choices:
        """The choices of the steps, drawn in their order."""
        return Choices([step.draw(samples, generator) for step in self.steps])

    def apply(self, images: Tensor, choices: Choices) -> Tensor:
        """Each step on what the one before it made."""
        for step, chosen in zip(self.steps, choices.steps, strict=True):
            images = step.apply(images, chosen)
        return images

    def window(self, choice: Choices, height: int, width: int, size: tuple[int, int]) -> Window | None:
        if self._cutting is None:
            return None
        return self.steps[self._cutting].window(choice.steps[self._cutting], height, width, size)

    def finish(self, images: Tensor, choices: Choices) -> Tensor:
        """Each step, of which one has cut already."""
        for place, (step, chosen) in enumerate(zip(self.steps, choices.steps, strict=True)):
            images = step.finish(images, chosen) if place == self._cutting else step.apply(images, chosen)
        return images
