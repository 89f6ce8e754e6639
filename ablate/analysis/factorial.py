"""Main effects and interactions of a factorial study: an analysis of variance with seeds as blocks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from ablate.analysis.selectors import value_text
from ablate.analysis.statistics import FloatArray

MOST_FACTORS = 4  # of which all interactions are 15 lines
MOST_ROWS = 2000  # of an incomplete table, whose fit takes time with the square of its size


@dataclass(frozen=True)
class Anova:
    """The table of one metric.

    Attributes:
        table: a row an effect: `effect` (such as `arm × depth`), `df`, `df_error`, `F`, `p`, and where the table is
            complete `p_gg` (p after Greenhouse and Geisser) and `eta2` (partial eta squared, 0 to 1).
        method: what was done, in words.
        notes: what is left out of it.
    """

    table: pd.DataFrame
    method: str
    notes: list[str]


def anova(frame: pd.DataFrame, metric: str, factors: Sequence[str]) -> Anova | None:
    """Main effects and interactions of the factors on a metric; None where there is too little to say any.

    Every seed has one cell at each combination of the factors, as a subject of an experiment has. If some seeds have
    all their cells, these are taken, by the repeated-measures analysis: each effect against its own interaction with
    the seeds (Winer 1971, "Statistical Principles in Experimental Design", chapter 7), where p_gg allows for seeds that
    vary more at some combinations than at others (Greenhouse and Geisser 1959, "On methods in the analysis of profile
    data", Psychometrika 24). Else, as where a study excludes combinations, a linear model with seeds as blocks is
    fitted, and sums of squares are of type II.

    Args:
        frame: results, one row a cell: `seed`, the factors, the metric, and `status` (all `done` without it).
        metric: the column to analyse.
        factors: columns of the factors, `arm` among them where arms are compared.
    """
    if metric not in frame.columns or not 1 <= len(factors) <= MOST_FACTORS:
        return None
    cells = _cells(frame, metric, factors)
    levels = [list(dict.fromkeys(cells[factor])) for factor in factors]
    if any(len(values) < 2 for values in levels):
        return None
    lost = len(frame) - int(cells["value"].notna().sum())
    notes = (
        [f"{lost} of {len(frame)} cells have no value (diverged, failed or pending) and are left out."] if lost else []
    )
    square = cells.pivot_table(index="seed", columns=list(factors), values="value", sort=False)
    whole = square.reindex(columns=_columns(levels)).dropna()
    if len(whole) >= 2:
        left = square.shape[0] - len(whole)
        notes += [f"{left} seeds without all of their cells are left out of this table."] if left else []
        shape = [len(values) for values in levels]
        table = repeated_measures(whole.to_numpy().reshape(len(whole), *shape), factors)
        return Anova(table, f"repeated measures, {len(whole)} seeds", notes)
    return _incomplete(cells.dropna(), factors, levels, notes)


def repeated_measures(values: FloatArray, factors: Sequence[str]) -> pd.DataFrame:
    """The table of a complete factorial, from values of shape (seeds, levels of factor 1, levels of factor 2, ...)."""
    seeds, *levels = values.shape
    rows = []
    for effect in _subsets(len(factors)):
        scores = values.reshape(seeds, -1) @ _contrasts(levels, effect)  # (seeds, df)
        df = scores.shape[1]
        explained = seeds * float(np.sum(scores.mean(axis=0) ** 2))
        residual = float(np.sum((scores - scores.mean(axis=0)) ** 2))
        df_error = df * (seeds - 1)
        f = (explained / df) / (residual / df_error) if residual > 0 else (np.inf if explained > 0 else np.nan)
        epsilon = _epsilon(scores)
        rows.append(
            {
                "effect": " × ".join(factors[place] for place in effect),
                "df": df,
                "df_error": df_error,
                "F": f,
                "p": _p(f, df, df_error),
                "p_gg": _p(f, epsilon * df, epsilon * df_error),
                "eta2": explained / (explained + residual) if explained + residual > 0 else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _cells(frame: pd.DataFrame, metric: str, factors: Sequence[str]) -> pd.DataFrame:
    done = frame["status"].eq("done") if "status" in frame.columns else pd.Series(True, index=frame.index)
    values = pd.to_numeric(frame[metric], errors="coerce").where(done)
    columns = {factor: [value_text(value) for value in frame[factor]] for factor in factors}
    return pd.DataFrame({"seed": frame["seed"], **columns, "value": values.replace([np.inf, -np.inf], np.nan)})


def _columns(levels: Sequence[Sequence[str]]) -> list[tuple[str, ...]] | list[str]:
    return list(levels[0]) if len(levels) == 1 else list(itertools.product(*levels))


def _subsets(factors: int) -> list[tuple[int, ...]]:
    """Main effects first, then interactions of two, and so on."""
    return [effect for size in range(1, factors + 1) for effect in itertools.combinations(range(factors), size)]


def _contrasts(levels: Sequence[int], effect: Sequence[int]) -> FloatArray:
    """Orthonormal contrasts of an effect: (combinations, df)."""
    matrix: FloatArray = np.ones((1, 1))
    for place, count in enumerate(levels):
        part = _helmert(count) if place in effect else np.full((count, 1), count**-0.5)
        matrix = np.asarray(np.kron(matrix, part), dtype=np.float64)
    return matrix


def _helmert(count: int) -> FloatArray:
    """Orthonormal columns that sum to zero: (count, count - 1)."""
    columns = np.zeros((count, count - 1))
    for k in range(1, count):
        columns[:k, k - 1], columns[k, k - 1] = 1.0, -float(k)
    return np.asarray(columns / np.linalg.norm(columns, axis=0))


def _epsilon(scores: FloatArray) -> float:
    """Greenhouse and Geisser's estimate, between 1 / df and 1, of how far the degrees of freedom are too many."""
    df = scores.shape[1]
    covariance = np.atleast_2d(np.cov(scores, rowvar=False))
    square = float(np.sum(covariance**2))
    return max(1 / df, min(1.0, float(np.trace(covariance)) ** 2 / (df * square))) if square > 0 else 1.0


def _p(f: float, df: float, df_error: float) -> float:
    return float(special.fdtrc(df, df_error, f)) if np.isfinite(f) else (0.0 if f > 0 else np.nan)


def _incomplete(
    cells: pd.DataFrame, factors: Sequence[str], levels: Sequence[Sequence[str]], notes: list[str]
) -> Anova | None:
    """A linear model with seeds as blocks: with interactions where every combination has a value, else without."""
    residual = len(cells) - cells["seed"].nunique() - int(np.prod([len(values) for values in levels])) + 1
    if residual < 1 or len(cells) > MOST_ROWS or cells["seed"].nunique() < 2:
        return None
    from statsmodels.formula.api import ols  # a second that studies with whole tables do without
    from statsmodels.stats.anova import anova_lm

    names = {factor: f"factor_{place}" for place, factor in enumerate(factors)}
    crossed = cells.groupby(list(factors)).ngroups == int(np.prod([len(values) for values in levels]))
    terms = (" * " if crossed else " + ").join(f"C({name})" for name in names.values())
    fitted = ols(f"value ~ C(seed) + {terms}", cells.rename(columns=names)).fit()
    table = anova_lm(fitted, typ=2)
    rows = [
        {"effect": _effect(term, names), "df": int(row["df"]), "df_error": int(fitted.df_resid), "F": row["F"], "p": p}
        for term, row, p in zip(table.index, table.to_dict("records"), table["PR(>F)"], strict=True)
        if term not in ("C(seed)", "Residual")
    ]
    less = [] if crossed else ["Some combinations have no cell, so interactions are not estimated."]
    return Anova(pd.DataFrame(rows), "linear model with seeds as blocks, type II", [*notes, *less])


def _effect(term: str, names: dict[str, str]) -> str:
    back = {f"C({name})": factor for factor, name in names.items()}
    return " × ".join(back[part] for part in term.split(":"))
