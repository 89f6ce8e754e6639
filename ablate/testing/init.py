"""What an initialisation must do."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ablate import registry
from ablate.interfaces.parts import Init
from ablate.testing.networks import stream
from ablate.testing.parts import PartConformance


class InitConformance(PartConformance):
    """Tests of an initialisation."""

    kind = "init"

    def build(self) -> Init:
        """The initialisation."""
        return cast(Init, registry.build(self.kind, self.node))

    def filled(self, seed: int = 0, before: float = 0.0) -> dict[str, tuple[bool, Tensor]]:
        """Whether it has filled each parameter of a few modules, which all were `before`, and its values then."""
        init, found = self.build(), {}
        for name, module in _modules().items():
            for kind, parameter in module.named_parameters():
                nn.init.constant_(parameter, before)
                with torch.no_grad():
                    done = init.fill(module, f"{name}.{kind}", parameter, stream(seed))
                found[f"{name}.{kind}"] = (done, parameter.detach().clone())
        return found

    def test_it_says_of_each_parameter_whether_it_fills_it(self) -> None:
        for name, (done, values) in self.filled(before=7.0).items():
            assert isinstance(done, bool), f"{name}: fill() returns True or False"
            assert values.isfinite().all(), name
            assert done or (values == 7).all(), f"{name}: fill() has changed it, and returns False"

    def test_what_it_fills_does_not_depend_on_what_was_there(self) -> None:
        one, other = self.filled(before=7.0), self.filled(before=-2.0)
        assert [name for name, (done, values) in one.items() if done and not torch.equal(values, other[name][1])] == []

    def test_values_come_from_the_generator_alone(self) -> None:
        before = torch.get_rng_state()
        first = self.filled(seed=3)
        assert torch.equal(before, torch.get_rng_state()), "it draws from the global stream"
        torch.manual_seed(5)
        again = self.filled(seed=3)
        assert [name for name in first if not torch.equal(first[name][1], again[name][1])] == []

    def test_other_parameters_stay_as_they_are(self) -> None:
        for name, module in _modules().items():
            for kind, parameter in module.named_parameters():
                others = {other: value.detach().clone() for other, value in module.named_parameters() if other != kind}
                with torch.no_grad():
                    self.build().fill(module, f"{name}.{kind}", parameter, stream())
                for other, value in others.items():
                    assert torch.equal(module.get_parameter(other), value), f"filling {name}.{kind} changes {other}"


def _modules() -> dict[str, nn.Module]:
    """The usual holders of parameters, and one that no initialisation has heard of."""
    with torch.random.fork_rng(devices=[]):  # their constructors draw
        return _built()


def _built() -> dict[str, nn.Module]:
    return {
        "conv": nn.Conv2d(4, 6, 3),
        "grouped": nn.Conv2d(4, 6, 3, groups=2),
        "linear": nn.Linear(5, 3),
        "batch": nn.BatchNorm2d(4),
        "group": nn.GroupNorm(2, 4),
        "gate": nn.ParameterDict({"scale": nn.Parameter(torch.ones(()))}),
    }
