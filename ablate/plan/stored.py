"""What the store has of a study already, read and left as it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ablate.run.standing import standing_of
from ablate.run.store import Store
from ablate.study.plan import Study

if TYPE_CHECKING:
    import pandas as pd

Results = Mapping[str, Mapping[str, Any]]  # cell's ID -> result


def stored_results(study: Study) -> dict[str, dict[str, Any]]:
    """The results that a run of this study would not train again.

    Raises:
        InputError: a result file is broken.
    """
    store = Store(study.runs, study.folder)
    found = {}
    for cell in study.cells:
        standing = standing_of(study, store, cell)
        if standing.found is not None and not standing.lacking.needs_training:
            found[cell.id] = standing.found.result
    return found


def results_frame(study: Study, results: Results) -> pd.DataFrame:
    """The stored results as a table with one row a cell, as `load_results` gives it."""
    import pandas as pd

    rows = []
    for cell in study.cells:
        result = results.get(cell.id)
        row = {"cell": cell.id, "arm": cell.arm, **cell.factors, "seed": cell.seed, "stream": cell.stream}
        row["status"] = result["status"] if result else "pending"
        metrics = result["metrics"] if result else {}
        rows.append({**row, **{name: math.nan if value is None else value for name, value in metrics.items()}})
    return pd.DataFrame(rows)
