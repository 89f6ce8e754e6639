"""Broken plugins in the hands of their suites: not collected by itself, but run by `test_suites.py`.

Each class says in `caught` which tests must find its fault; all the others must pass. What is broken here is what the
authors of plugins get wrong: the parts work, and a network with them trains, or seems to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ablate import (
    Attempt,
    Augment,
    Aux,
    Backbone,
    Block,
    DataSet,
    Engine,
    Evaluation,
    Head,
    Init,
    Job,
    Optim,
    Order,
    Parts,
    Schedule,
    Shortcut,
    Slot,
    Split,
    Splits,
    Stem,
    UnitShape,
    pixel_mean,
    register,
    testing,
)
from ablate.interfaces.engine import Ending

# Networks and their parts


@register("backbone", "of_one_width")
class OfOneWidth(Backbone):
    """Takes no notice of the width factor."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.stem = parts.make("stem", 8, parts.make("order"))
        self.add_stage("stage1", nn.Conv2d(8, 8, 3, padding=1), 8)
        self.attach_aux(parts)
        self.head = parts.make("head", 8)


class TestBackbone(testing.BackboneConformance):
    name = "of_one_width"
    caught: ClassVar = {"test_width_scales_it"}


@register("block", "of_three")
class OfThree(Block):
    """Says that it has three weight layers, and has two."""

    depth = 3

    def layers(self, in_channels: int, width: int, stride: int) -> list[nn.Module]:
        return [nn.Conv2d(in_channels, width, 3, stride, padding=1), nn.Conv2d(width, width, 3, padding=1)]


class TestBlock(testing.BlockConformance):
    name = "of_three"
    caught: ClassVar = {"test_depth_is_the_number_of_weight_layers"}


@register("order", "other_names")
class OtherNames(Order):
    """Calls F otherwise than all other orders do, so that arms would not share its initial values."""

    def unit(self, layers: Sequence[nn.Module], tail: nn.Module | None, shape: UnitShape) -> nn.Module:
        return OtherUnit(self.branch(layers, tail, "norm"), self.shortcut(shape))

    def after_stem(self, channels: int) -> nn.Module:
        return self.parts.sequence(channels, "norm", "act")

    def after_stages(self, channels: int) -> nn.Module:
        return nn.Identity()


class OtherUnit(nn.Module):
    def __init__(self, residual: nn.Module, shortcut: Shortcut) -> None:
        super().__init__()
        self.residual = residual
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x, self.residual(x))


class TestOrder(testing.OrderConformance):
    name = "other_names"
    caught: ClassVar = {"test_weights_have_the_names_that_all_orders_share"}


@register("shortcut", "detached")
class Detached(Shortcut):
    """Lets no gradient through to F(x)."""

    def __init__(self, parts: Parts, shape: UnitShape) -> None:
        super().__init__()
        self.path = nn.Conv2d(shape.in_channels, shape.out_channels, 1, shape.stride)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.path(x) + residual.detach()


class TestShortcut(testing.ShortcutConformance):
    name = "detached"
    caught: ClassVar = {"test_a_network_with_it_trains", "test_it_joins_x_and_f_of_x"}


@register("stem", "centring")
class Centring(Stem):
    """Changes the images that other arms and the next epoch see, too."""

    def __init__(self, parts: Parts, out_channels: int, order: Order) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.conv = nn.Conv2d(parts.channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.detach().sub_(0.5))


class TestStem(testing.StemConformance):
    name = "centring"
    caught: ClassVar = {"test_images_are_not_changed_in_place", "test_gradients_reach_the_image"}


@register("head", "of_probabilities")
class OfProbabilities(Head):
    """Takes the softmax, which the loss takes again."""

    def __init__(self, parts: Parts, in_channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels, parts.classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(pixel_mean(x)).softmax(dim=1)


class TestHead(testing.HeadConformance):
    name = "of_probabilities"
    caught: ClassVar = {"test_its_outputs_are_logits_and_no_probabilities"}


@register("aux", "for_large_maps")
class ForLargeMaps(Aux):
    """Does without the rounding up of small maps.

    Args:
        parts: the network's parts.
        at: the stages.
        weight: of each loss.
    """

    def __init__(self, parts: Parts, *, at: list[str] | None = None, weight: float = 0.3) -> None:
        super().__init__(parts, at, weight)

    def head(self, in_channels: int) -> nn.Module:
        pool = [nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return nn.Sequential(*pool, nn.Linear(in_channels, self.parts.classes))


class TestAux(testing.AuxConformance):
    name = "for_large_maps"
    caught: ClassVar = {"test_it_takes_maps_of_any_size"}


@register("norm", "over_the_batch")
def over_the_batch(parts: Parts, channels: int) -> nn.Module:
    """Takes the statistics of the batch when it is measured, too."""
    return nn.BatchNorm2d(channels, track_running_stats=False)


class TestNorm(testing.NormConformance):
    name = "over_the_batch"
    caught: ClassVar = {"test_eval_mode_takes_one_image", "test_in_eval_mode_an_image_does_not_depend_on_its_batch"}


@register("act", "inplace")
def inplace(parts: Parts) -> nn.Module:
    """Overwrites what the shortcut is about to read."""
    return nn.ReLU(inplace=True)


class TestAct(testing.ActConformance):
    name = "inplace"
    caught: ClassVar = {"test_its_input_is_not_changed_in_place", "test_values_and_gradients_are_finite"}


SHARED = nn.PReLU()


@register("act", "shared")
def shared(parts: Parts) -> nn.Module:
    """One module, and so one slope, for the whole network, and for the next one."""
    return SHARED


class TestSharedAct(testing.ActConformance):
    name = "shared"
    caught: ClassVar = {"test_each_place_has_a_module_of_its_own"}


@register("init", "from_the_global_stream")
class FromTheGlobalStream(Init):
    """Draws from the stream that everything else draws from."""

    def fill(self, module: nn.Module, name: str, parameter: Tensor, generator: torch.Generator) -> bool:
        nn.init.uniform_(parameter)
        return True


class TestInit(testing.InitConformance):
    name = "from_the_global_stream"
    caught: ClassVar = {
        "test_values_come_from_the_generator_alone",
        "test_what_it_fills_does_not_depend_on_what_was_there",
    }


@register("init", "silent")
class Silent(Init):
    """Does not say what it has filled."""

    def fill(self, module: nn.Module, name: str, parameter: Tensor, generator: torch.Generator) -> Any:
        nn.init.uniform_(parameter, generator=generator)


class TestSilentInit(testing.InitConformance):
    name = "silent"
    caught: ClassVar = {"test_it_says_of_each_parameter_whether_it_fills_it"}


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
        "test_an_interrupt_stops_what_runs",
    }


# What a plugin declares that it cannot pass


class TestDeclared(testing.NormConformance):
    name = "over_the_batch"
    caught: ClassVar[set[str]] = set()
    expected_failures: ClassVar = {
        "test_eval_mode_takes_one_image": "it has no running statistics",
        "test_in_eval_mode_an_image_does_not_depend_on_its_batch": "it has no running statistics",
    }


class TestDeclaredForOneCase(testing.AuxConformance):
    name = "for_large_maps"
    caught: ClassVar[set[str]] = set()
    expected_failures: ClassVar = {"test_it_takes_maps_of_any_size[size2]": "it halves maps of one pixel"}


class TestDeclaredAndYetPassed(testing.HeadConformance):
    name = "of_probabilities"
    caught: ClassVar = {"test_gradients_reach_the_maps"}
    expected_failures: ClassVar = {
        "test_its_outputs_are_logits_and_no_probabilities": "it takes the softmax",
        "test_gradients_reach_the_maps": "they do",
    }
