"""What is left of a trained network when parts of it are taken out or change places."""

from __future__ import annotations

import math
import statistics as stats
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ablate import Chart, InputError, Measured, Measurement, Trained, register

from ._pieces import Piece, in_order, pieces_of, without
from ._statistics import Statistics, check_batches, estimated, first_batches

Row = dict[str, Any]
SUFFIX = {"kept": "", "estimated": "_estimated"}


@register("measurement", "lesion")
class Lesion(Measurement):
    """Test error of a trained network without some of its units, or with units in another order (Veit et al. 2016).

    arXiv 1605.06431, sections 4.1 to 4.3, Figures 3 to 5. A residual unit is deleted by F(x) = 0: its shortcut stays,
    also where it changes the shape. Where no unit has anything on its shortcut, as in VGG and plain networks, a
    convolution is deleted with the norm and the activation behind it. One that changes the shape cannot be: it has a
    row with `changes` 1 and no error. Everything is put back afterwards, to the bit.

    The table has a row for each network: `kind` intact, each (one piece deleted), random (`k` pieces that keep the
    shape), shuffled (`k` pairs that fit each other have changed places, one after the other; `tau` is Kendall's, of the
    new order of all pieces against the old one). Columns of results:

    - `baseline`: error of the intact network.
    - `median`, `worst`: rise of the error when one piece is deleted, over those that keep the shape.
    - `changing`: mean rise over the residual units that change the shape; `changing_excess`, changing - median.
    - `random_K`: mean error over the draws with K deleted; empty where the network has fewer that keep the shape.
    - `jump`: the largest rise of that error from one K to the next, the intact network before the first, as a share of
      its whole rise: near 1 the first deletions destroy the network, far below 1 the error grows smoothly.
    - `shuffled_K`: mean error over the draws with K pairs swapped.
    - the same with `_estimated`: with statistics of batch norms estimated anew on training batches, each time.

    Each row costs a pass over the test split, and with estimated statistics one over the batches in training mode.

    Args:
        k: how many pieces are deleted at random.
        swaps: how many pairs change places.
        draws: for each of these numbers.
        statistics: of batch norms: those "kept" from training (Veit et al.), "estimated" anew, or "both".
        batches: training batches that they are estimated on.
    """

    charts = (
        Chart(
            "error", form="bars", title="Test error without one unit", words="test error", axis="deleted unit",
            where={"kind": "each"}, panel="statistics", hollow="changes", reference={"kind": "intact"},
            caption="One unit (or, without shortcuts, one layer) deleted at a time. Dashed line: the intact network. "
            "Hollow bars: units that change the shape; such layers cannot be deleted, and have no bar (Veit et al. "
            "2016, arXiv 1605.06431, Figure 3).",
        ),
        Chart(
            "error", over="k", title="Test error by the number of deleted units", words="test error",
            axis="units deleted at random", where={"kind": "random"}, panel="statistics",
            caption="Units that keep the shape, drawn at random several times in each network; the band is over draws "
            "and seeds (Veit et al. 2016, Figure 5a).",
        ),
        Chart(
            "error", over="k", title="Test error of shuffled networks", words="test error",
            axis="pairs of units that changed places", where={"kind": "shuffled"}, panel="statistics",
            caption="Pairs of units of the same shape, drawn at random, have changed places one after the other; the "
            "band is over draws and seeds (Veit et al. 2016, Figure 5b).",
        ),
    )  # fmt: skip

    def __init__(
        self,
        *,
        k: list[int] = [1, 2, 4, 8, 12],  # noqa: B006 - copied into the config, never changed
        swaps: list[int] = [1, 4, 16],  # noqa: B006
        draws: int = 6,
        statistics: Statistics = "both",
        batches: int = 2,
    ) -> None:
        if draws < 1:
            raise InputError(f"measurements.lesion.draws={draws}: must be at least 1")
        self.k, self.swaps = _numbers("k", k), _numbers("swaps", swaps)
        self.draws = draws
        self.batches = check_batches("lesion", batches)
        self.statistics = ("kept", "estimated") if statistics == "both" else (statistics,)
        names = ["baseline", "median", "worst", "changing", "changing_excess", *(f"random_{k}" for k in self.k), "jump"]
        names += [f"shuffled_{k}" for k in self.swaps]
        self.columns = tuple(f"{name}{SUFFIX[which]}" for which in self.statistics for name in names)

    def measure(self, trained: Trained) -> Measured:
        images, _ = next(iter(trained.batches("test")))
        batches = first_batches(trained, self.batches) if "estimated" in self.statistics else []
        pieces = pieces_of(trained.model, images)
        lesions = [*_single(pieces), *self._random(trained, pieces), *self._shuffled(trained, pieces)]
        rows = [row for one in lesions for row in self._rows(trained, one, batches)]
        values = {
            f"{name}{SUFFIX[which]}": value
            for which in self.statistics
            for name, value in self._values([row for row in rows if row.get("statistics") == which]).items()
        }
        return Measured(values, rows)

    def _rows(self, trained: Trained, lesion: _Lesion, batches: Sequence[Tensor]) -> Iterator[Row]:
        """Loss and error under each kind of statistics."""
        if lesion.made is None:
            yield lesion.row
            return
        for which in self.statistics:
            with lesion.made(), estimated(trained, list(batches)) if which == "estimated" else nullcontext():
                loss, error = trained.evaluate("test")
            yield {**lesion.row, "statistics": which, "error": error, "loss": loss}

    def _random(self, trained: Trained, pieces: Sequence[Piece]) -> Iterator[_Lesion]:
        inner = [one for one in pieces if not one.changes]
        for k in self.k:
            for draw in range(self.draws if k <= len(inner) else 0):
                generator = trained.generator("lesion", "random", k, draw)
                chosen = [inner[place] for place in torch.randperm(len(inner), generator=generator)[:k].tolist()]
                yield _Lesion(_row("random", k=k, draw=draw + 1), partial(without, chosen))

    def _shuffled(self, trained: Trained, pieces: Sequence[Piece]) -> Iterator[_Lesion]:
        pairs = [(a, b) for a, one in enumerate(pieces) for b, other in enumerate(pieces[:a]) if one.fits(other)]
        for k in self.swaps if pairs else ():
            for draw in range(self.draws):
                generator = trained.generator("lesion", "shuffled", k, draw)
                order = list(range(len(pieces)))
                for pair in torch.randint(len(pairs), (k,), generator=generator).tolist():
                    a, b = pairs[pair]
                    order[a], order[b] = order[b], order[a]
                placed = {pieces[place]: pieces[now] for place, now in enumerate(order) if place != now}
                row = _row("shuffled", k=k, draw=draw + 1, tau=kendall_tau(order))
                yield _Lesion(row, partial(in_order, placed))

    def _values(self, rows: Sequence[Row]) -> dict[str, float]:
        """The columns of results from the rows of one kind of statistics."""

        def errors(kind: str, **where: int) -> list[float]:
            return [
                row["error"] for row in rows if row["kind"] == kind and all(row[key] == where[key] for key in where)
            ]

        (baseline,) = errors("intact")
        rises = [error - baseline for error in errors("each", changes=0)]
        median = stats.median(rises) if rises else math.nan
        changing = _mean(errors("each", changes=1)) - baseline
        random = {k: _mean(errors("random", k=k)) for k in self.k}
        return {
            "baseline": baseline,
            "median": median,
            "worst": max(rises, default=math.nan),
            "changing": changing,
            "changing_excess": changing - median,
            **{f"random_{k}": error for k, error in random.items()},
            "jump": _jump([baseline, *random.values()]),
            **{f"shuffled_{k}": _mean(errors("shuffled", k=k)) for k in self.swaps},
        }


@dataclass(frozen=True)
class _Lesion:
    """A network that is to be measured.

    Attributes:
        row: of the table, without what is measured.
        made: makes it of the intact one, and unmakes it; None for one that cannot be made.
    """

    row: Row
    made: Callable[[], AbstractContextManager[None]] | None


def kendall_tau(order: Sequence[int]) -> float:
    """Kendall's rank correlation of an order of 0, 1, … with the sorted one; 1 for fewer than two.

    Args:
        order: each number once.
    """
    pairs = len(order) * (len(order) - 1) // 2
    turned = sum(before > after for place, after in enumerate(order) for before in order[:place])
    return 1 - 2 * turned / pairs if pairs else 1.0


def _single(pieces: Sequence[Piece]) -> Iterator[_Lesion]:
    """The intact network, and the network without each of its pieces."""
    yield _Lesion(_row("intact"), nullcontext)
    for one in pieces:
        row = _row("each", unit=one.name, place=one.place, stage=one.stage, changes=int(one.changes), k=1)
        yield _Lesion(row, partial(without, [one]) if one.can_go else None)


def _row(kind: str, **known: Any) -> Row:
    """In the order of the table's columns."""
    columns = ("statistics", "unit", "place", "stage", "changes", "k", "draw", "tau")
    return {"kind": kind, **{column: known.get(column, "") for column in columns}}


def _jump(errors: Sequence[float]) -> float:
    """The largest rise from one of these to the next over that from the first to the last, which there are."""
    known = [error for error in errors if not math.isnan(error)]
    rise = known[-1] - known[0]
    steps = [after - before for before, after in pairwise(known)]
    return max(steps) / rise if rise > 0 else math.nan


def _mean(values: Sequence[float]) -> float:
    return stats.fmean(values) if values else math.nan


def _numbers(option: str, given: Sequence[int]) -> list[int]:
    """Numbers of pieces in ascending order.

    Raises:
        InputError: one is below 1.
    """
    if below := [one for one in given if one < 1]:
        raise InputError(f"measurements.lesion.{option}: {below[0]} is below 1")
    return sorted(set(given))
