"""From a table of results to verdicts: pure functions on a DataFrame, without torch.

`contrast_values` takes a claim's contrast from each seed, `statistics` tests it, and `judge` says what it shows.
The rules and their sources stand with each function; `decide` has them together.
"""

from typing import TYPE_CHECKING

from ablate.system.lazy import lazy_names

if TYPE_CHECKING:
    from ablate.analysis.claims import as_claim as as_claim
    from ablate.analysis.claims import check_metrics as check_metrics
    from ablate.analysis.claims import speaks_of as speaks_of
    from ablate.analysis.claims import validate_claims as validate_claims
    from ablate.analysis.contrast import ContrastValues as ContrastValues
    from ablate.analysis.contrast import contrast_values as contrast_values
    from ablate.analysis.factorial import Anova as Anova
    from ablate.analysis.factorial import anova as anova
    from ablate.analysis.judgement import at_other_margins as at_other_margins
    from ablate.analysis.judgement import judge as judge
    from ablate.analysis.metrics import COSTS as COSTS
    from ablate.analysis.metrics import STANDARD as STANDARD
    from ablate.analysis.metrics import STATIC as STATIC
    from ablate.analysis.metrics import Metric as Metric
    from ablate.analysis.metrics import metric_of as metric_of
    from ablate.analysis.metrics import recorded_metrics as recorded_metrics
    from ablate.analysis.metrics import worst_value as worst_value
    from ablate.analysis.power_analysis import decision_power as decision_power
    from ablate.analysis.power_analysis import margin_for_zero as margin_for_zero
    from ablate.analysis.power_analysis import power as power
    from ablate.analysis.power_analysis import seeds_to_decide as seeds_to_decide
    from ablate.analysis.power_analysis import sequential_power as sequential_power
    from ablate.analysis.power_analysis import smallest_detectable_effect as smallest_detectable_effect
    from ablate.analysis.power_analysis import supported_power as supported_power
    from ablate.analysis.ranks import signed_rank_p as signed_rank_p
    from ablate.analysis.rule import Criterion as Criterion
    from ablate.analysis.rule import decide as decide
    from ablate.analysis.selectors import Selector as Selector
    from ablate.analysis.selectors import parse_selector as parse_selector
    from ablate.analysis.selectors import value_text as value_text
    from ablate.analysis.sequential import Look as Look
    from ablate.analysis.sequential import planned_looks as planned_looks
    from ablate.analysis.statistics import PairedT as PairedT
    from ablate.analysis.statistics import difference_p as difference_p
    from ablate.analysis.statistics import equivalence_p as equivalence_p
    from ablate.analysis.statistics import holm as holm
    from ablate.analysis.statistics import paired_t as paired_t
    from ablate.analysis.statistics import sign_flip_p as sign_flip_p
    from ablate.analysis.verdict import Verdict as Verdict

_HOMES = {
    "claims": ["as_claim", "check_metrics", "speaks_of", "validate_claims"],
    "contrast": ["ContrastValues", "contrast_values"],
    "factorial": ["Anova", "anova"],
    "judgement": ["at_other_margins", "judge"],
    "metrics": ["COSTS", "STANDARD", "STATIC", "Metric", "metric_of", "recorded_metrics", "worst_value"],
    "power_analysis": [
        "decision_power",
        "margin_for_zero",
        "power",
        "seeds_to_decide",
        "sequential_power",
        "smallest_detectable_effect",
        "supported_power",
    ],
    "ranks": ["signed_rank_p"],
    "rule": ["Criterion", "decide"],
    "selectors": ["Selector", "parse_selector", "value_text"],
    "sequential": ["Look", "planned_looks"],
    "statistics": ["PairedT", "difference_p", "equivalence_p", "holm", "paired_t", "sign_flip_p"],
    "verdict": ["Verdict"],
}
__getattr__, __all__ = lazy_names(__name__, _HOMES)
