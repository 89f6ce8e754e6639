"""Which ways of computing a step are tried, and which is taken; measurements are made up."""

from __future__ import annotations

import pytest

from ablate import InputError
from ablate.training.numerics import Numerics
from ablate.tuning.candidates import Trial, fastest, is_hopeless, pick

FP32, FP32_PLAIN = Numerics("fp32", True), Numerics("fp32", False)
BF16, BF16_PLAIN = Numerics("bf16", True), Numerics("bf16", False)


FIRST_S = 0.1  # that the first step of each way takes beyond the others


class Machine:
    """Has a time for each way to compute a step, and writes down what was asked."""

    def __init__(self, seconds: dict[Numerics, float], start: float = 0.0) -> None:
        self.seconds, self.start = seconds, start
        self.asked: list[Numerics] = []

    def __call__(self, numerics: Numerics, best: Trial | None) -> Trial:
        self.asked.append(numerics)
        if numerics not in self.seconds:
            return Trial(numerics, reason="not made for this machine")
        step = self.seconds[numerics]
        first = step + FIRST_S
        left = is_hopeless(first, best)
        return Trial(numerics, step, self.start if numerics.compile != "none" else 0.0, first=first, left=left)


EAGER = {FP32: 0.10, FP32_PLAIN: 0.14, BF16: 0.05, BF16_PLAIN: 0.06}


def test_the_fastest_is_taken() -> None:
    numerics, trials = pick({}, 100, "cpu", Machine(EAGER))
    assert numerics == BF16
    assert {trial.numerics: trial.step for trial in trials} == EAGER


def test_the_plainer_wins_where_the_gain_is_within_what_measurements_differ_by() -> None:
    assert pick({}, 100, "cpu", Machine({**EAGER, FP32: 0.052}))[0] == FP32
    assert pick({}, 100, "cpu", Machine({**EAGER, FP32: 0.053}))[0] == BF16


def test_what_is_given_is_not_varied() -> None:
    machine = Machine(EAGER)
    assert pick({"precision": "fp32"}, 100, "cpu", machine)[0] == FP32
    assert {numerics.precision for numerics in machine.asked} == {"fp32"}
    assert pick({"precision": "fp32", "channels_last": False}, 100, "cpu", machine)[0] == FP32_PLAIN


def test_each_is_measured_twice_in_alternating_order_and_its_better_time_counts() -> None:
    machine = Machine(EAGER)
    pick({}, 1, "cpu", machine)
    forth = [FP32, FP32_PLAIN, BF16, BF16_PLAIN]
    assert machine.asked == [*forth, *reversed(forth)]


@pytest.mark.parametrize(("device", "compilers"), [("cpu", ["inductor"]), ("cuda:0", ["inductor", "cudagraphs"])])
def test_compilers_are_tried_where_a_cell_trains_long_enough(device: str, compilers: list[str]) -> None:
    machine = Machine({**EAGER, **{Numerics("bf16", True, one): 0.03 for one in compilers}}, start=40.0)
    assert pick({}, 2399, device, machine)[0] == BF16, "just below two minutes"
    assert all(numerics.compile == "none" for numerics in machine.asked)
    assert pick({}, 10_000, device, machine)[0] == Numerics("bf16", True, compilers[0])
    assert [numerics.compile for numerics in machine.asked if numerics.compile != "none"] == compilers


def test_a_way_that_is_hopelessly_slow_is_left_after_its_first_step() -> None:
    """As bf16 on a CPU without units for it."""
    machine = Machine({FP32: 0.4, FP32_PLAIN: 0.5, BF16: 6.4, BF16_PLAIN: 7.0})
    numerics, trials = pick({}, 100, "cpu", machine)
    assert numerics == FP32
    assert [machine.asked.count(one) for one in (FP32, FP32_PLAIN, BF16, BF16_PLAIN)] == [2, 2, 1, 1]
    assert [str(trial) for trial in trials] == [
        "fp32, channels_last, eager 400",
        "fp32, contiguous, eager 500",
        "bf16, channels_last, eager 6.4e+03 in its first, and left",
        "bf16, contiguous, eager 7e+03 in its first, and left",
    ]


def test_what_was_left_is_not_taken_even_where_it_is_alone() -> None:
    with pytest.raises(InputError, match="no way"):
        fastest([Trial(BF16, 0.1, left=True)], 1)


def test_long_steps_are_looked_at_once() -> None:
    machine = Machine(dict.fromkeys([FP32, FP32_PLAIN, BF16, BF16_PLAIN], 1.0))
    pick({}, 100, "cpu", machine)
    assert machine.asked == [FP32, FP32_PLAIN, BF16, BF16_PLAIN]


def test_what_compiling_takes_counts() -> None:
    machine = Machine({**EAGER, Numerics("bf16", True, "inductor"): 0.04}, start=40.0)
    assert pick({}, 3000, "cpu", machine)[0] == BF16, "150 s against 40 + 120 s"
    assert pick({}, 30_000, "cpu", machine)[0].compile == "inductor"


def test_what_does_not_run_here_is_left_out() -> None:
    numerics, trials = pick({}, 100, "cpu", Machine({FP32_PLAIN: 0.2}))
    assert numerics == FP32_PLAIN
    assert [trial.reason for trial in trials if trial.numerics == BF16] == ["not made for this machine"]


def test_where_nothing_runs_the_reasons_are_told() -> None:
    with pytest.raises(InputError, match="no way to compute a step runs here: fp32, channels_last, eager: too old"):
        fastest([Trial(FP32, reason="too old")], 1)
