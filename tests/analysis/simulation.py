"""Whole studies drawn with known truth, judged many thousands at a time by the functions that judge real ones.

Run as a program it writes the rates into docs/statistics.md: `python -m tests.analysis.simulation`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ablate.analysis import (
    Criterion,
    Look,
    decide,
    difference_p,
    equivalence_p,
    paired_t,
    planned_looks,
    power,
    sequential_power,
)
from ablate.analysis.step_down import holm_once

from . import by_hand
from .judged import CASES, false_rate, missed

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"
STUDIES = 20_000
JUDGED = 1_000  # of those that are drawn as tables and judged one by one
SEEDS = (3, 6, 10, 20)
SIGNS = [Criterion(expect) for expect in ("positive", "negative", "positive", "negative", "positive")]
LOOKS = planned_looks(6, 3, 24)
FALSE = ("supported", "contradicted")


def standard_error(rate: float, studies: int = STUDIES) -> float:
    """Of a rate that so many studies estimate."""
    return float(np.sqrt(rate * (1 - rate) / studies))


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.normal(size=shape)


def heavy_tailed(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Student's t with three degrees of freedom."""
    return rng.standard_t(3, size=shape)


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Differences of two arms whose results are lognormal alike."""
    return rng.lognormal(size=shape) - rng.lognormal(size=shape)


def correlated(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Claims that share arms: each pair correlates at 0.8."""
    shared = rng.normal(size=(shape[0], 1, shape[2]))
    return np.asarray(np.sqrt(0.8) * shared + np.sqrt(0.2) * rng.normal(size=shape))


DRAWS: dict[str, Draw] = {"normal": normal, "skewed": skewed, "heavy-tailed": heavy_tailed, "correlated": correlated}


def verdicts(values: Array, criteria: Sequence[Criterion], looks: tuple[int, ...] = ()) -> NDArray[np.str_]:
    """The verdicts of many studies, (studies, claims), from values (studies, claims, n) and a criterion a claim.

    With looks, a claim keeps the verdict and the p of the look that decided it, as `judge` does.
    """
    studies, claims, n = values.shape
    found = np.full((studies, claims), "inconclusive", dtype="<U12")
    p_kept, inside_kept = np.ones((studies, claims)), np.ones((studies, claims))
    is_zero = [criterion.expect == "zero" for criterion in criteria]
    margins = np.array([criterion.tested_margin for criterion in criteria])
    for look in [Look(seeds, looks) for seeds in looks] or [Look(n)]:
        t = paired_t(values[..., : look.seeds])
        is_open = found == "inconclusive"
        p = look.adjusted(difference_p(t.effect, t.sd, t.n, margins))
        p_kept = np.where(is_open, p, p_kept)
        inside = look.adjusted_one_sided(equivalence_p(t.effect, t.sd, t.n, np.array([c.margin for c in criteria])))
        inside_kept = np.where(is_open, inside, inside_kept)
        adjusted, inside = holm_once(p_kept, inside_kept, is_zero)
        for i, criterion in enumerate(criteria):
            now = decide(criterion, t.effect[:, i], adjusted[:, i], inside[:, i])
            found[:, i] = np.where(is_open[:, i], now, found[:, i])
    return found


def false_claims(found: NDArray[np.str_]) -> float:
    """The part of studies with at least one false `supported` or `contradicted`."""
    return float(np.isin(found, FALSE).any(axis=1).mean())


def null_rate(draw: Draw, n: int, looks: tuple[int, ...] = (), studies: int = STUDIES) -> float:
    """The part of studies with five claims, none of them true, that say something false."""
    return false_claims(verdicts(draw(np.random.default_rng(n), (studies, 5, n)), SIGNS, looks))


def coverage(n: int, draw: Draw = normal, shift: float = 0.3, studies: int = STUDIES) -> float:
    """How often the 95 % interval holds the truth."""
    t = paired_t(shift + draw(np.random.default_rng(n), (studies, 1, n)))
    return float(np.mean((t.low < shift) & (t.high > shift)))


def repeated_coverage(looks: tuple[int, ...], studies: int = STUDIES) -> float:
    """How often the intervals of all looks hold the truth at once."""
    values = normal(np.random.default_rng(0), (studies, looks[-1]))
    held = np.ones(studies, dtype=bool)
    for seeds in looks:
        t = paired_t(values[:, :seeds], Look(seeds, looks).level())
        held &= (t.low < 0) & (t.high > 0)
    return float(held.mean())


def equivalence_rate(n: int, expect: str, looks: tuple[int, ...] = (), studies: int = STUDIES) -> float:
    """How often a true difference that is just at the margin is called none."""
    wrong = "supported" if expect == "zero" else "equivalent"
    values = np.random.default_rng(n).normal(1.0, 0.2, (studies, 1, n))
    return float(np.mean(verdicts(values, [Criterion(expect, margin=1.0)], looks) == wrong))


def power_rate(n: int, effect: float, criterion: Criterion, looks: tuple[int, ...] = ()) -> float:
    """How often a claim is decided, for a true effect in standard deviations."""
    values = np.random.default_rng(n).normal(effect, 1.0, (STUDIES, 1, n))
    return float(np.mean(verdicts(values, [criterion], looks) != "inconclusive"))


def peeking_rate(looks: tuple[int, ...] = LOOKS) -> float:
    """How often a single claim without an effect is rejected at 5 % at some look, if nothing allows for the looks."""
    values = normal(np.random.default_rng(24), (STUDIES, looks[-1]))
    return float(np.any([paired_t(values[:, :seeds]).p < 0.05 for seeds in looks], axis=0).mean())


def _rows(lines: Sequence[Sequence[str]]) -> list[str]:
    head = ["what", "should be", *(f"n = {n}" for n in SEEDS), f"looks at {LOOKS[0]}, {LOOKS[1]} … {LOOKS[-1]}"]
    return [_row(head), _row(["---", "---", *["---:"] * (len(SEEDS) + 1)]), *map(_row, lines)]


def judged_figures(studies: int = JUDGED) -> list[list[str]]:
    """Studies drawn one by one and judged by `judge`: the part that says something false."""
    columns: list[tuple[int, tuple[int, ...]]] = [*((n, ()) for n in SEEDS), (LOOKS[-1], LOOKS)]
    with ProcessPoolExecutor() as pool:
        rates = [[pool.submit(_judged_rate, k, n, studies, looks) for n, looks in columns] for k in range(len(CASES))]
        misses = [pool.submit(missed, n, studies, looks) for n, looks in columns]
        lines = [
            [
                case.name,
                "more; a caution says so" if case.told else "≤ 5 %",
                *(f"{100 * r.result():.1f} %" for r in row),
            ]
            for case, row in zip(CASES, rates, strict=True)
        ]
        told = [f"{100 * one.result():.1f} %" for one in misses]
    return [*lines, ["interval misses the truth, one of two arms collapses in a fifth of seeds", "more; said", *told]]


def _judged_rate(case: int, n: int, studies: int, looks: tuple[int, ...]) -> float:
    """By the number of a case, since what draws it may be no name that another process knows."""
    return false_rate(CASES[case], n, studies, looks)


def _figures() -> list[list[str]]:
    def line(what: str, target: str, rate: Callable[[int, tuple[int, ...]], float]) -> list[str]:
        rates = [*(rate(n, ()) for n in SEEDS), rate(LOOKS[-1], LOOKS)]
        return [what, target, *(f"{100 * one:.1f} %" for one in rates)]

    false = "studies with five null claims that say something false"
    return [
        line("interval holds the truth (normal values)", "95 %", lambda n, k: repeated_coverage(k or (n,))),
        *(line(f"{false}, {name}", "≤ 5 %", partial(null_rate, draw)) for name, draw in DRAWS.items()),
        line("`equivalent` for a difference at the margin", "≤ 5 %", partial(_equivalence, "positive")),
        line("`supported` zero for a difference at the margin", "≤ 5 %", partial(_equivalence, "zero")),
        line("power for an effect of one standard deviation", "", lambda n, k: power_rate(n, 1.0, SIGNS[0], k)),
        line("… as `plan` predicts it", "± 5 points", lambda n, k: sequential_power(k, 1.0) if k else power(n, 1.0)),
    ]


def _equivalence(expect: str, n: int, looks: tuple[int, ...]) -> float:
    return equivalence_rate(n, expect, looks)


TABLES: dict[str, Callable[[], list[list[str]]]] = {"table": _figures, "judged": judged_figures}


def document(text: str, tables: Sequence[str] = tuple(TABLES)) -> str:
    """The page of documentation with its figures as they come out now, in these of its tables."""
    figures = {"peeking": f"{100 * peeking_rate():.1f}", "studies": f"{STUDIES:,}", "judged": f"{JUDGED:,}"}
    figures |= {f"by hand, {name}": f"{100 * rate:.1f}" for name, rate in by_hand.rates().items()}
    for name, value in figures.items():
        text = re.sub(rf"(<!-- figure: {name} -->).*?(<!-- end -->)", rf"\g<1>{value}\g<2>", text)
    for name in tables:
        table = "\n".join([f"<!-- {name} -->", *_rows(TABLES[name]()), "<!-- end -->"])
        text = re.sub(rf"<!-- {name} -->\n.*?<!-- end -->", lambda _, new=table: new, text, flags=re.DOTALL)
    return text


def documented(text: str) -> dict[str, list[float]]:
    """The rates of studies judged one by one, as the page of documentation has them."""
    rows = re.findall(r"^\| (.+?) \| .+? \| (.+) \|$", text.partition("<!-- judged -->")[2], flags=re.MULTILINE)
    found = {name: re.findall(r"([\d.]+) %", rates) for name, rates in rows}
    return {name: [float(rate) / 100 for rate in rates] for name, rates in found.items() if rates}


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(document(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
