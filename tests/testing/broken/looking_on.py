"""Broken probes, measurements, callbacks and trackers. Not collected by themselves, but run by `test_suites.py`.

Each class says in `caught` which tests must find its fault; all the others must pass. What is broken here is what the
authors of plugins get wrong: the parts work, and a network with them trains, or seems to.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch

from ablate import (
    Course,
    FollowedCell,
    FollowedStudy,
    Measured,
    Measurement,
    Probe,
    StepLook,
    Tracker,
    Trained,
    register,
    testing,
)

# What looks on, and who is told


@register("probe", "meddling")
class Meddling(Probe):
    """Changes what it looks at, names what it does not give, and forgets all when it is killed."""

    columns = ("looks", "other")

    def __init__(self) -> None:
        self.looks = 0

    def steps(self, course: Course) -> range:
        return range(0, course.steps, 2)

    def after_backward(self, look: StepLook) -> None:
        self.looks += 1
        for one in look.model.parameters():
            one.data.mul_(1.001)
        look.record(looks=self.looks)

    def values(self) -> dict[str, float]:
        return {"looks": self.looks}


class TestProbe(testing.ProbeConformance):
    name = "meddling"
    caught: ClassVar = {
        "test_what_is_trained_is_the_same_with_and_without_it",
        "test_it_gives_what_it_names",
        "test_it_goes_on_behind_a_checkpoint",
    }


@register("probe", "beyond")
class Beyond(Probe):
    """Looks at a step more than there are, so that no cell trains with it."""

    def steps(self, course: Course) -> range:
        return range(course.steps + 1)


class TestProbeSteps(testing.ProbeConformance):
    name = "beyond"
    caught: ClassVar = {
        "test_it_asks_for_steps_that_there_are",
        "test_what_is_trained_is_the_same_with_and_without_it",
        "test_it_gives_what_it_names",
        "test_it_goes_on_behind_a_checkpoint",
        "test_its_table_has_what_its_charts_draw",
    }


@register("probe", "with_tensors")
class WithTensors(Probe):
    """Its state is no plain value."""

    def state(self) -> dict[str, Any]:
        return {"sums": {1: 2.0}}


class TestProbeState(testing.ProbeConformance):
    name = "with_tensors"
    caught: ClassVar = {"test_its_state_is_plain"}


@register("measurement", "at_random")
class AtRandom(Measurement):
    """Draws as it likes, and names what it does not give."""

    columns = ("drawn", "other")

    def measure(self, trained: Trained) -> Measured:
        return Measured({"drawn": torch.rand(())})


class TestMeasurement(testing.MeasurementConformance):
    name = "at_random"
    caught: ClassVar = {
        "test_it_gives_what_it_names",
        "test_it_gives_the_same_each_time",
        "test_it_gives_the_same_later_as_at_the_end_of_the_cell",
    }


@register("callback", "loud")
class Loud(pl.Callback):
    """Says that it only looks on, and counts, which it forgets when it is killed."""

    incidental = True

    def __init__(self) -> None:
        self.steps = 0

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.steps += 1
        for one in pl_module.parameters():
            if one.grad is not None:
                one.grad.mul_(1 + 0.1 * self.steps)


class TestCallback(testing.CallbackConformance):
    name = "loud"
    caught: ClassVar = {"test_it_changes_nothing_where_it_says_so", "test_it_goes_on_behind_a_checkpoint"}


@register("tracker", "forgetful")
class Forgetful(Tracker):
    """Leaves a file when it is built, writes down each run, and fails where a cell does."""

    def __init__(self) -> None:
        Path("forgetful").touch()

    def begin(self, study: FollowedStudy, *, anew: bool) -> None:
        self.path = study.folder / "forgetful.txt"
        with self.path.open("a") as file:
            file.write(f"{study.name}\n")
        with (study.folder / "study.yaml").open("a") as file:
            file.write("\n")

    def judged(self, study: FollowedStudy, verdicts: Sequence[Any]) -> None:
        (study.folder / study.name).mkdir()

    def failed(self, study: FollowedStudy, cell: FollowedCell, reason: str) -> None:
        raise ValueError(reason)


class TestTracker(testing.TrackerConformance):
    name = "forgetful"
    caught: ClassVar = {
        "test_building_it_reaches_out_to_nothing",
        "test_failures_and_further_tries_are_told",
        "test_names_are_text_whatever_is_in_them",
        "test_the_stores_files_stay_as_they_are",
    }
