"""Broken data and training, and an idle engine. Not collected by themselves, but run by `test_suites.py`.

Each class says in `caught` which tests must find its fault; all the others must pass. What is broken here is what the
authors of plugins get wrong: the parts work, and a network with them trains, or seems to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ablate import (
    Attempt,
    Augment,
    DataSet,
    Engine,
    Evaluation,
    Job,
    Optim,
    Schedule,
    Slot,
    Split,
    Splits,
    register,
    testing,
)
from ablate.interfaces.engine import Ending

# Data


class Noise(DataSet):
    """A few images of noise."""

    channels, size, classes, batch_size = 1, (4, 4), 3, 2

    def load(self) -> Splits:
        return Splits(self.split(), self.split())

    def split(self, *, dtype: torch.dtype = torch.int64, generator: torch.Generator | None = None) -> Split:
        generator = generator or torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (6, 1, 4, 4), generator=generator, dtype=torch.uint8)
        return Split(images, torch.tensor([0, 1, 2, 0, 1, 2], dtype=dtype))


@register("data", "short_labels")
class ShortLabels(Noise):
    """Has labels that the loss does not take."""

    def load(self) -> Splits:
        return Splits(self.split(dtype=torch.int32), self.split(dtype=torch.int32))


class TestData(testing.DataConformance):
    name = "short_labels"
    caught: ClassVar = {"test_what_it_holds_is_as_it_says", "test_labels_are_classes"}


@register("data", "drawn_anew")
class DrawnAnew(Noise):
    """Is another data set for each cell."""

    def load(self) -> Splits:
        return Splits(*(self.split(generator=torch.default_generator) for _ in range(2)))


class TestDrawnData(testing.DataConformance):
    name = "drawn_anew"
    caught: ClassVar = {"test_it_is_the_same_at_every_load"}


@register("data", "eager")
class Eager(Noise):
    """Reads its file when it is built.

    Args:
        root: the file.
    """

    def __init__(self, *, root: Path = Path("noise")) -> None:
        self.samples = (int(Path(root).read_text()), 6)


class TestEagerData(testing.DataConformance):
    name = "eager"
    caught: ClassVar = {
        "test_building_it_reads_nothing",
        "test_it_has_as_many_samples_as_it_says",
        "test_what_is_missing_is_said_in_one_line_before_any_cell_starts",
    }

    def prepare(self, folder: Path) -> dict[str, Any]:
        (folder / "noise").write_text("7")
        return {"root": folder / "noise"}


@register("augment", "from_the_global_stream")
class Jitter(Augment):
    """Draws from the stream that everything else draws from."""

    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        return torch.rand(samples)

    def apply(self, images: Tensor, choices: Tensor) -> Tensor:
        return images + choices.view(-1, 1, 1, 1)


class TestAugment(testing.AugmentConformance):
    name = "from_the_global_stream"
    caught: ClassVar = {"test_choices_come_from_the_generator_alone"}


@register("evaluation", "with_its_margin")
class WithItsMargin(Evaluation):
    """Shows the network images of another size than it is trained on."""

    margin = 2

    def views(self, images: Tensor) -> Iterator[Tensor]:
        yield images


class TestEvaluation(testing.EvaluationConformance):
    name = "with_its_margin"
    caught: ClassVar = {"test_every_view_has_the_shape_of_the_networks_images"}


# Training


@register("optim", "of_weights")
class OfWeights(Optim):
    """Trains no bias."""

    lr = 0.1

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD([one for one in model.parameters() if one.dim() > 1], self.lr)


class TestOptim(testing.OptimConformance):
    name = "of_weights"
    caught: ClassVar = {
        "test_every_parameter_is_trained_once",
        "test_a_part_that_gets_no_gradient_stays_and_joins_later",
    }


class SignSteps(torch.optim.Optimizer):
    """Steps of one length; what it has counted stands in no state."""

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        super().__init__(parameters, {"lr": lr})
        self.lr = lr
        self.steps = 0

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        self.steps += 1
        for group in self.param_groups:
            for one in group["params"]:
                if one.grad is not None:
                    one.sub_(one.grad.sign(), alpha=self.lr / self.steps)


@register("optim", "of_one_rate")
class OfOneRate(Optim):
    """Takes no notice of the schedule, and begins anew at a checkpoint."""

    lr = 0.1

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        return SignSteps(model.parameters(), self.lr)


class TestOptimOfOneRate(testing.OptimConformance):
    name = "of_one_rate"
    caught: ClassVar = {
        "test_the_rate_is_what_the_training_sets",
        "test_it_goes_on_from_a_checkpoint_to_the_last_bit",
    }


@register("schedule", "counting")
class Counting(Schedule):
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def factor(self, progress: float, epoch: float) -> float:
        self.asked += 1
        return 1 / self.asked


class TestSchedule(testing.ScheduleConformance):
    name = "counting"
    caught: ClassVar = {"test_a_factor_does_not_depend_on_what_was_asked_before"}


@register("schedule", "below_zero")
class BelowZero(Schedule):
    """Ends up going uphill."""

    def factor(self, progress: float, epoch: float) -> float:
        return 1 - 2 * progress


class TestScheduleBelowZero(testing.ScheduleConformance):
    name = "below_zero"
    caught: ClassVar = {"test_its_factors_are_numbers_from_zero_on"}


class Done(Attempt):
    def ending(self) -> int:
        return Ending.DONE

    def stop(self) -> None:
        pass

    def kill(self) -> None:
        pass


@register("engine", "idle")
class Idle(Engine):
    """Starts nothing, and says that all is done."""

    def start(self, job: Job, slot: Slot) -> Attempt:
        return Done()

    def slots(self, jobs: int, threads: int = 1) -> list[Slot]:
        return [Slot("cpu", 1)]


class TestEngine(testing.EngineConformance):
    name = "idle"
    caught: ClassVar = {
        "test_every_cell_is_trained_and_ends_once",
        "test_a_cell_whose_process_dies_is_tried_again_and_fails_once",
        "test_a_cell_whose_input_is_wrong_is_not_tried_again",
        "test_a_plugin_that_ends_the_process_is_no_ending_of_the_cell",
        "test_an_interrupt_stops_what_runs",
    }
