"""Counts of cells, looks and jobs, and sizes: one line with a bound, before anything of that size is made."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ablate.study.size import MOST_CELLS

pytestmark = pytest.mark.usefixtures("here")

Refused = Callable[..., str]
MANY = f"[{','.join(map(str, range(1, 301)))}]"
TWO = ["+study.arms.a=[order=post]", "+study.arms.b=[order=pre]"]
MOST = f"a study has at most {MOST_CELLS:,}"


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (["study.seeds=1000000000"], f"study.seeds=1000000000: {MOST} cells"),
        ([f"study.seeds={MOST_CELLS + 1}"], f"study.seeds={MOST_CELLS + 1}: {MOST} cells"),
        (["study.seeds={start:3,step:1,most:1000000000}"], f"study.seeds.most=1000000000: {MOST} cells"),
        (["study.seeds={start:3,step:1,most:5000}"], "study.seeds.step=1: makes 4,997 looks; at most 1,000"),
        ([*TWO, "study.default_seeds=1000000000"], f"study.seeds=1000000000: {MOST} cells"),
        ([*TWO, "study.seeds=15000"], f"2 arms x 15,000 seeds make 30,000 cells; {MOST}"),
        (
            [
                *TWO,
                *(f"+study.grid.{key}=[{','.join(map(str, range(1, 301)))}]" for key in ("depth", "trainer.epochs")),
            ],
            f"2 arms x 300 values of depth x 300 values of trainer.epochs x 6 seeds make 1,080,000 cells; {MOST}",
        ),
        (["depth=6000000002"], "depth=6000000002: at most 10,000"),
        (["width=1e12"], "width=1000000000000.0: at most 1,000,000,000"),
        (["trainer.epochs=1000000000"], "trainer.epochs=1000000000: at most 1,000,000"),
        (["trainer.threads=1000000"], "trainer.threads=1000000: at most 4,096"),
        (["trainer.workers=1000000"], "trainer.workers=1000000: at most 4,096"),
        (["image.size=1000000"], "image.size=1000000: at most 32,768"),
        (["image.classes=100000000"], "image.classes=100000000: at most 16,777,216"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else "",
)
def test_a_study_too_large_to_plan_is_one_line(typed: list[str], line: str, refused: Refused) -> None:
    assert refused("plan", *typed).startswith(line)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (["seed=range(0,1000000000)"], "1,000,000,000 values of seed make 1,000,000,000 jobs; a multirun has at most"),
        (["seed=range(0,1000)", "depth=range(1,1000)"], "1,000 values of seed x 999 values of depth make 999,000 jobs"),
        (["optim.lr=range(0,1,1e-300)"], "1.0e+300 values of optim.lr make 1.0e+300 jobs"),
        (["seed=range(0,1,0)"], "'seed=range(0,1,0)': a range goes from a number to another in steps other than 0"),
        (["optim.lr=range(0,inf)"], "'optim.lr=range(0,inf)': a range goes from a number to another"),
        (["seed=range(5,0)"], "'seed=range(5,0)' names no value: with step 1 nothing lies from 5 to below 0"),
        (["seed=0,18446744073709551616"], "seed=18446744073709551616: whole numbers go up to"),
        (["seed=range(0,18446744073709551616)"], "seed=18446744073709551616: whole numbers go up to"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_multirun_without_end_is_one_line(typed: list[str], line: str, refused: Refused) -> None:
    assert refused("-m", *typed).startswith(line)
