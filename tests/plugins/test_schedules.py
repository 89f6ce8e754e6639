"""Schedules against values worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from ablate import InputError, Schedule, registry
from ablate.config.compose import compose, prepare


def build(name: str, **options: Any) -> Schedule:
    prepare()
    return registry.build("schedule", {"name": name, **options})


def factors(schedule: Schedule, epochs: int, at: list[float]) -> list[float]:
    return [schedule.factor(epoch / epochs, epoch) for epoch in at]


def test_constant() -> None:
    assert factors(build("constant"), 10, [0, 3.3, 9.99]) == [1, 1, 1]


def test_step_divides_by_ten_at_32k_and_48k_of_64k_iterations() -> None:
    schedule = build("step")
    found = [schedule.factor(step / 64_000, step / 391) for step in (0, 31_999, 32_000, 47_999, 48_000, 63_999)]
    assert found == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_step_with_milestones_of_ones_own() -> None:
    assert factors(build("step", milestones=[0.3, 0.6, 0.9], gamma=0.5), 10, [2.9, 3, 6, 9.5]) == pytest.approx(
        [1, 0.5, 0.25, 0.125]
    )


def test_milestones_need_no_order_and_may_be_none() -> None:
    assert build("step", milestones=[0.75, 0.5]).factor(0.6, 6) == pytest.approx(0.1)
    assert build("step", milestones=[]).factor(0.99, 9) == 1


def test_cosine_falls_from_one_to_zero() -> None:
    found = factors(build("cosine"), 12, [0, 3, 4, 6, 9, 11.999])
    assert found == pytest.approx([1, 0.853553, 0.75, 0.5, 0.146447, 0], abs=1e-6)


@pytest.mark.parametrize("name", ["constant", "step", "cosine"])
def test_a_constant_warm_up_holds_the_rate_low_and_then_lets_go(name: str) -> None:
    """He et al. 2015, section 4.2: ResNet-110 starts at 0.01 and goes back to 0.1."""
    schedule, plain = build(name, warmup_epochs=2), build(name)
    for epoch, warmth in ((0, 0.1), (1.99, 0.1), (2, 1), (5, 1)):
        assert schedule.factor(epoch / 10, epoch) == pytest.approx(warmth * plain.factor(epoch / 10, epoch))


def test_a_linear_warm_up_rises() -> None:
    schedule = build("constant", warmup_epochs=4, warmup_factor=0.2, warmup_linear=True)
    assert factors(schedule, 10, [0, 1, 2, 3, 4, 9]) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"milestones": [0.5, 1.0]}, "milestones=.*between 0 and 1"),
        ({"milestones": [80, 120]}, "milestones=.*between 0 and 1"),
        ({"warmup_epochs": -1}, "warmup_epochs"),
        ({"warmup_factor": 0}, "warmup_factor"),
        ({"warmup_factor": 1.5}, "warmup_factor"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build("step", **options)


def test_the_papers_recipe_passes_its_milestones_in_the_papers_iterations() -> None:
    prepare()
    config = compose(["+exp=preact_vs_postact", "scale=paper", "study.seeds=1"])
    iterations = 164 * 391
    schedule = registry.build("schedule", dict(config.schedule))
    changes = [schedule.factor(step / iterations, 99) for step in (31_999, 32_000, 47_999, 48_000)]
    assert changes == pytest.approx([1, 0.1, 0.1, 0.01])
    warming = registry.build("schedule", {**config.schedule, "warmup_epochs": 1.023, "warmup_factor": 0.1})
    assert [warming.factor(0.01, step / 391) for step in (0, 399, 400)] == pytest.approx([0.1, 0.1, 1])
    assert (config.trainer.epochs, config.data.batch_size, config.width) == (164, 128, 1.0)
    assert dict(config.optim) == {
        "name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4, "nesterov": False, "decay_norm": True,
    }  # fmt: skip
