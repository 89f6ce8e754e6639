"""What an optimiser and a schedule must do."""

from __future__ import annotations

import io
import math
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from ablate import registry
from ablate.interfaces.training import Optim, Schedule
from ablate.testing._base import Conformance
from ablate.testing.networks import stream
from ablate.training.packing import pack_optimizer, unpack_optimizer
from ablate.training.update import build_update

STEPS = 20
EPOCHS = pytest.mark.parametrize("epochs", [1, 10, 200])


class OptimConformance(Conformance):
    """Tests of an optimiser: the training sets its rate before every step, and reads `lr` for that."""

    kind = "optim"

    def make(self) -> Optim:
        """The optimiser's settings."""
        return cast(Optim, registry.build(self.kind, self.node))

    def test_the_rate_of_every_parameter_is_the_one_it_names(self) -> None:
        optim = self.make()
        assert math.isfinite(optim.lr)
        assert optim.lr > 0
        assert {group["lr"] for group in optim.build(_network()).param_groups} == {optim.lr}

    def test_every_parameter_is_trained_once(self) -> None:
        model = _network()
        trained = [id(one) for group in self.make().build(model).param_groups for one in group["params"]]
        assert sorted(trained) == sorted(id(one) for one in model.parameters())

    def test_a_convex_loss_falls(self) -> None:
        model = _network()
        optimizer = self.make().build(model)
        before = _loss(model)
        _train(model, optimizer, STEPS)
        assert _loss(model) < before

    def test_the_rate_is_what_the_training_sets(self) -> None:
        """Nothing moves at rate 0; and of two rates each gives steps of its own."""
        ends = []
        for rate in (0.0, 1e-3, 1e-2):
            model = _network()
            optimizer = self.make().build(model)
            for group in optimizer.param_groups:
                group["lr"] = rate
            _train(model, optimizer, 2)
            ends.append(_values(model))
        assert torch.equal(ends[0], _values(_network()))
        assert not torch.equal(ends[1], ends[2])

    def test_a_part_that_gets_no_gradient_stays_and_joins_later(self) -> None:
        """As under stochastic depth, where a unit sits out some steps."""
        model = _network()
        optimizer = self.make().build(model)
        _train(model, optimizer, 2, without="norm")
        for name, parameter in _network().named_parameters():
            assert torch.equal(model.get_parameter(name), parameter) == name.startswith("norm"), name
        _train(model, optimizer, 2)
        assert _values(model).isfinite().all()

    def test_it_goes_on_from_a_checkpoint_to_the_last_bit(self) -> None:
        model = _network()
        optimizer = self.make().build(model)
        _train(model, optimizer, 3)
        saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        saved["optimizer"]["state"] = pack_optimizer(saved["optimizer"]["state"])
        buffer = io.BytesIO()
        torch.save(saved, buffer)
        _train(model, optimizer, 3)

        kept = torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)
        kept["optimizer"]["state"] = unpack_optimizer(kept["optimizer"]["state"])
        other = _network()
        other.load_state_dict(kept["model"])
        resumed = self.make().build(other)
        resumed.load_state_dict(kept["optimizer"])
        _train(other, resumed, 3)
        assert torch.equal(_values(other), _values(model))

    def test_its_steps_are_the_same_every_time(self) -> None:
        ends = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            model = _network()
            _train(model, self.make().build(model), 3)
            ends.append(_values(model))
        assert torch.equal(*ends)

    def test_it_works_on_the_meta_device(self) -> None:
        """Where a step costs no memory, and shows how much it would take."""
        with torch.device("meta"):
            model = _network()
        optimizer = self.make().build(model)
        for parameter in model.parameters():
            parameter.grad = torch.empty_like(parameter)
        optimizer.step()
        assert {one.device.type for one in model.parameters()} == {"meta"}


class ScheduleConformance(Conformance):
    """Tests of a schedule: the rate follows from where the training is, and from nothing else."""

    kind = "schedule"

    def make(self) -> Schedule:
        """The schedule."""
        return cast(Schedule, registry.build(self.kind, self.node))

    @EPOCHS
    def test_its_factors_are_numbers_from_zero_on(self, epochs: int) -> None:
        factors = _factors(self.make(), epochs)
        assert all(isinstance(factor, float | int) for factor in factors)
        assert all(math.isfinite(factor) and factor >= 0 for factor in factors)
        assert max(factors) > 0, "nothing would ever be learned"

    @EPOCHS
    def test_a_factor_does_not_depend_on_what_was_asked_before(self, epochs: int) -> None:
        """A cell that goes on from its checkpoint asks a new schedule, and in the middle."""
        schedule = self.make()
        forwards = _factors(schedule, epochs)
        assert _factors(schedule, epochs) == forwards
        assert _factors(self.make(), epochs, backwards=True) == forwards

    def test_it_draws_nothing(self) -> None:
        before = torch.get_rng_state()
        _factors(self.make(), 10)
        assert torch.equal(before, torch.get_rng_state())


def _factors(schedule: Schedule, epochs: int, *, backwards: bool = False) -> list[float]:
    """The factors of a training of so many epochs, five steps each."""
    places = [(step / (5 * epochs), step / 5) for step in range(5 * epochs)]
    found = [schedule.factor(progress, epoch) for progress, epoch in (places[::-1] if backwards else places)]
    return found[::-1] if backwards else found


def _network() -> nn.Module:
    """A kernel, a matrix, vectors and a number, the same ones at every call."""
    with torch.random.fork_rng(devices=[]):  # their constructors draw
        model = nn.ModuleDict({"conv": nn.Conv2d(2, 3, 3), "linear": nn.Linear(3, 2), "norm": nn.GroupNorm(1, 3)})
    model.register_parameter("gate", nn.Parameter(torch.zeros(())))
    random = stream()
    for parameter in model.parameters():
        if parameter.device.type != "meta":
            nn.init.normal_(parameter, generator=random)
    return model


def _loss(model: nn.Module, *, without: str = "") -> Tensor:
    """Half the squared distance of every parameter to 2, but for the parts whose name begins with `without`."""
    named = [one for name, one in model.named_parameters() if not (without and name.startswith(without))]
    return torch.stack([(one - 2).square().sum() / 2 for one in named]).sum()


def _train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int, **loss: Any) -> None:
    """Take steps as the training of a cell does."""
    update = build_update(optimizer)
    for _ in range(steps):
        optimizer.zero_grad()
        _loss(model, **loss).backward()
        update()


def _values(model: nn.Module) -> Tensor:
    """All parameters in a row, as they are now."""
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()
