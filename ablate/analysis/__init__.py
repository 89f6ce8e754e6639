"""From a table of results to verdicts: pure functions on a DataFrame, without torch.

`contrast_values` takes a claim's contrast from each seed, `statistics` tests it, and `judge` says what it shows.
The rules and their sources stand with each function; `decide` has them together.
"""

from ablate.analysis.claims import as_claim, check_metrics, speaks_of, validate_claims
from ablate.analysis.contrast import ContrastValues, contrast_values
from ablate.analysis.factorial import Anova, anova
from ablate.analysis.judge import judge
from ablate.analysis.metrics import COSTS, STANDARD, STATIC, Metric, metric_of, recorded_metrics, worst_value
from ablate.analysis.power import (
    decision_power,
    power,
    seeds_to_decide,
    sequential_power,
    smallest_detectable_effect,
)
from ablate.analysis.rule import Criterion, decide
from ablate.analysis.selectors import Selector, parse_selector, value_text
from ablate.analysis.sequential import Look, planned_looks
from ablate.analysis.statistics import (
    PairedT,
    difference_p,
    equivalence_p,
    holm,
    paired_t,
    sign_flip_p,
    signed_rank_p,
)
from ablate.analysis.verdict import Verdict

__all__ = [
    "COSTS",
    "STANDARD",
    "STATIC",
    "Anova",
    "ContrastValues",
    "Criterion",
    "Look",
    "Metric",
    "PairedT",
    "Selector",
    "Verdict",
    "anova",
    "as_claim",
    "check_metrics",
    "contrast_values",
    "decide",
    "decision_power",
    "difference_p",
    "equivalence_p",
    "holm",
    "judge",
    "metric_of",
    "paired_t",
    "parse_selector",
    "planned_looks",
    "power",
    "recorded_metrics",
    "seeds_to_decide",
    "sequential_power",
    "sign_flip_p",
    "signed_rank_p",
    "smallest_detectable_effect",
    "speaks_of",
    "validate_claims",
    "value_text",
    "worst_value",
]
