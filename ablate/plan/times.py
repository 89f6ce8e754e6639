"""How long the cells of a study will take, and how long the study."""

from __future__ import annotations

import heapq
import math
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ablate import registry
from ablate.config.roles import pace_text
from ablate.errors import InputError
from ablate.interfaces.engine import Slot
from ablate.network.profile import Profile, split_sizes
from ablate.plan.load import others_busy
from ablate.plan.stored import Results
from ablate.registry.blame import blaming
from ablate.study.plan import Cell
from ablate.tuning.measured import MeasuredCache, machine_of

if TYPE_CHECKING:
    from ablate.plan.calibration import Speed

BUDGET_S = 3.5  # of measuring in all; what does not fit is extrapolated
UNDISTURBED = 0.75  # share of a core that measuring gets where nothing else wants it
PASSES = 12  # steps and evaluations that measuring takes, in steps
# What a cell takes beside its epochs on two cores of 2024: the fork, the data, the network, Lightning's Trainer; and an
# epoch beside its steps: metrics, history, checkpoint.
START_S = 0.5
EPOCH_S = 0.02
IMPORTS_S = 4.0  # until the first cells can start: a process for them imports torch and Lightning, once a study

STORED = "stored"
MEASURED = "measured"
EXTRAPOLATED = "extrapolated"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class CellTime:
    """Seconds that a cell takes in its slot, None where it cannot be told, and how it is known."""

    seconds: float | None
    source: str


class Timer:
    """Estimates for the points of a study, each network measured once.

    Args:
        slots: where cells will run; the first is measured, while the others are kept busy.
        threads: CPU threads of a cell.
        cache: what was measured before.
    """

    def __init__(self, slots: Sequence[Slot], threads: int, cache: MeasuredCache) -> None:
        self.slots = slots
        self.threads = threads
        self.cache = cache
        self.notes: list[str] = []
        self._speeds: dict[str, Speed] = {}
        self._sources: dict[str, str] = {}
        self._looks: dict[str, tuple[Cell, Profile]] = {}

    def measure(self, cells: Iterable[tuple[Cell, Profile]]) -> None:
        """Look up, measure or extrapolate the speed of each distinct network, cheapest first."""
        for cell, network in cells:
            self._looks.setdefault(speed_key(cell), (cell, network))
        order = sorted(self._looks, key=lambda key: _work(*self._looks[key]))
        left = [key for key in order if not self._find(key)]
        if left:
            self._measure(left)

    def time_of(self, cell: Cell) -> CellTime:
        """What a cell of this config takes."""
        key = speed_key(cell)
        samples = split_sizes(cell.config["data"])
        if samples is None or key not in self._speeds:
            return CellTime(None, UNKNOWN)
        return CellTime(cell_seconds(cell.config, samples, self._speeds[key]), self._sources[key])

    def _find(self, key: str) -> bool:
        from ablate.plan.calibration import Speed

        found = self.cache.find(*self._cache_key(key))
        if found is not None:
            self._speeds[key], self._sources[key] = Speed(**found), MEASURED
        return found is not None

    def _measure(self, keys: Sequence[str]) -> None:
        deadline = time.perf_counter() + BUDGET_S
        shares = []
        with others_busy(self.slots, self.threads):
            for key in keys:
                guess = self._extrapolated(key)
                # The cheapest is measured at any price, since all else is extrapolated from it.
                if guess is None or time.perf_counter() + PASSES * guess.step < deadline:
                    shares.append(self._measure_one(key))
                else:
                    self._speeds[key], self._sources[key] = guess, EXTRAPOLATED
        if shares and min(shares) < UNDISTURBED:
            got = f"{100 * min(shares):.0f} % of a core"
            self.notes.append(
                f"other work runs on this machine (measuring got {got}): times are those of now, not kept"
            )

    def _measure_one(self, key: str) -> float:
        """Measure a network, keep its speed where nothing disturbed that, and return the share of a core it got."""
        from ablate.plan.calibration import measure

        cell, network = self._looks[key]
        wall, core = time.perf_counter(), time.process_time()
        with blaming(cell.config, "training a few steps"):
            self._speeds[key], self._sources[key] = measure(cell.config, network, self.slots[0]), MEASURED
        # Time on a core over time by the clock: where others want the cores, this process waits for them.
        share = (time.process_time() - core) / (time.perf_counter() - wall)
        if self.slots[0].device != "cpu":
            share = 1.0  # the CPU may well wait for a GPU
        if share >= UNDISTURBED:
            self._keep(key)
        return share

    def _keep(self, key: str) -> None:
        try:
            self.cache.keep(asdict(self._speeds[key]), *self._cache_key(key))
        except InputError as error:
            self.notes = [f"speeds are measured anew each time: {error}"]

    def _extrapolated(self, key: str) -> Speed | None:
        """From the measured network that is nearest in work; None where there is none."""
        from ablate.plan.calibration import Speed

        measured = [other for other, source in self._sources.items() if source == MEASURED]
        if not measured:
            return None
        work = _work(*self._looks[key])
        # By ratio: half and twice the work are equally far.
        nearest = min(measured, key=lambda other: abs(math.log(_work(*self._looks[other]) / work)))
        known, (_, ours), (_, theirs) = self._speeds[nearest], self._looks[key], self._looks[nearest]
        # A step takes a constant for each layer, its operations' launches, and a part for each multiply-add.
        by_layer = ours.layers / max(1, theirs.layers)
        by_work = work / _work(*self._looks[nearest])
        # Noise can make the step on two images the longer one.
        compute = max(0.0, known.step - known.overhead)
        by_image = ours.flops / max(1, theirs.flops)
        return Speed(
            step=known.overhead * by_layer + compute * by_work,
            overhead=known.overhead * by_layer,
            evaluation=known.evaluation * by_image,
        )

    def _cache_key(self, key: str) -> tuple[Any, ...]:
        slot = self.slots[0]
        # The number of slots too, since the others were busy while this one was measured.
        return machine_of(slot.device), asdict(slot), len(self.slots), key, self._looks[key][0].code


def speed_key(cell: Cell) -> str:
    """All of a cell's config that decides how fast it trains."""
    return pace_text(cell.config)


def cell_seconds(config: Mapping[str, Any], samples: tuple[int, int], speed: Speed) -> float:
    """Start, steps, and measurements of a cell.

    Args:
        config: of the cell.
        samples: images in the training and in the test split.
        speed: of its network.
    """
    from ablate.training.feed import EVAL_BATCH

    trainer = config["trainer"]
    steps = samples[0] / registry.build("data", config["data"]).batch_size
    # Both splits: the training error is measured in eval mode as well.
    evaluations = sum(split / EVAL_BATCH for split in samples)
    measured = math.ceil(trainer["epochs"] / trainer["eval_every"])
    epochs = trainer["epochs"] * (steps * speed.step + EPOCH_S) + measured * evaluations * speed.evaluation
    return float(START_S + epochs)


def stored_seconds(cells: Iterable[Cell], results: Results) -> float | None:
    """The mean time of those cells that this machine has finished; a diverged one ended early."""
    found = [results[cell.id] for cell in cells if cell.id in results]
    here = [one for one in found if one.get("host") == socket.gethostname() and one["status"] == "done"]
    times = [float(one["metrics"]["seconds"]) for one in here if one["metrics"].get("seconds")]
    return START_S + sum(times) / len(times) if times else None


def makespan(seconds: Iterable[float], slots: int, start: float = 0.0) -> list[float]:
    """When each slot ends, where all begin at `start`, and the longest cells first in the slot that is free first."""
    # As `Schedule` gives out jobs: list scheduling, longest first (Graham 1969, "Bounds on Multiprocessing Timing
    # Anomalies").
    busy = [start] * max(1, slots)
    for one in sorted(seconds, reverse=True):
        heapq.heappush(busy, heapq.heappop(busy) + one)
    return sorted(busy, reverse=True)


def _work(cell: Cell, network: Profile) -> float:
    """Of an optimiser step, in arbitrary units."""
    return float(max(1, network.flops) * registry.build("data", cell.config["data"]).batch_size)
