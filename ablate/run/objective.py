"""What a sweeper is given of a study that was run."""

from __future__ import annotations

import math
import statistics

from ablate.analysis import worst_value
from ablate.analysis.metrics import ranks_worst
from ablate.run.results import load_results
from ablate.run.store import Store
from ablate.study.plan import Study


def objective_of(study: Study) -> float | None:
    """The mean of `study.objective` over the study's cells that have it; None where none has.

    A cell that diverged counts as the worst there is, infinity: nothing that trains is to be preferred to by it.

    Args:
        study: that was run.
    """
    store = Store(study.runs, study.folder)
    metric, names = study.objective.metric, {cell.id for cell in study.objective.of(study.cells)}
    frame = load_results(store.folder)
    values: dict[str, float] = {}
    for row in frame.to_dict("records") if metric in frame else []:
        if row["cell"] in names:
            is_worst = ranks_worst(metric, str(row["status"]), float(row[metric]))
            values[row["cell"]] = worst_value(metric) if is_worst else float(row[metric])
    known = [value for value in values.values() if not math.isnan(value)]
    return statistics.fmean(known) if known else None
