"""A verdict: what the evidence says on one claim."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ablate.analysis.gates import GateReading
from ablate.analysis.metrics import RELATIVE
from ablate.analysis.statistics import ALPHA
from ablate.config.schema import Claim

EXACT, PAIRED_T, SIGNED_RANK = "exact", "paired t", "signed rank"
# The same for contrasts that weigh arms unevenly: arms change places within each seed (`ablate.analysis.permutation`).
PERMUTED_T, PERMUTED_RANK = "paired t and permutation", "permuted ranks"
NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Verdict:
    """What the evidence says on one claim.

    Effects are in the metric's unit, minus the claim's threshold where it has one. For `scale: ratio` they are relative
    changes (0.1 is 10 % more), and all is tested on logarithms.

    Whoever reads one from its plain form (`from_dict`) may know less than whoever judged: the defaults say so.

    Attributes:
        margin: the smallest difference that matters; NaN where it is not known.
        verdict: `supported`, `contradicted`, `equivalent`, `inconclusive`, or `not tested` where a gate fails or the
            run lacks what the claim is about.
        effect: mean of the paired values; under a test by ranks the size that would balance them (`pseudomedian`,
            `balancing_shift`), infinite where that is. For a ratio that of the geometric mean.
        low: lower end of the interval of the effect, 1 - `level`; None for one seed or diverged cells.
        high: its upper end.
        level: 1 - level is the coverage of the interval: alpha, or less at one of several looks.
        sd: standard deviation of the paired values, of their logarithms for a ratio.
        d: the standardised effect: the mean over `sd`, on the scale that is tested.
        n: number of paired values; 1 for a static metric, which no seed changes.
        seeds: their seeds.
        values: the contrast by seed; infinite where diverged cells decide it, NaN where only that is known.
        p: two-sided p of a zero effect, by `test`, at this look.
        p_holm: the p that decides, adjusted over the looks and the study's tested claims: of a zero effect, or for
            `expect: zero` of an effect within ±margin.
        p_signflip: exact sign-flip p of a zero effect, for at most 12 seeds of an even contrast without infinite cells.
        p_signflip_holm: the sign-flip p that stands against `p_holm`: of the same hypothesis, adjusted as that is.
        p_equivalence: p of an effect outside ±margin (two one-sided tests), adjusted over the looks; below alpha / 2
            the interval lies inside.
        p_equivalence_holm: the same adjusted over the tested claims too: below alpha / 2, no difference that matters.
        tests: tested claims of the study, over which Holm adjusts.
        test: `paired t`, or `signed rank` where a cell diverged or is perfect; `paired t and permutation` and
            `permuted ranks` for contrasts that weigh arms unevenly; `exact` for a static metric.
        disagreement: `p_holm` and `p_signflip_holm` lie on different sides of alpha.
        above: under a test by ranks, the seeds in which they lie above zero.
        below: those in which they lie below.
        apart: seeds whose values lie far from the others (`ablate.analysis.clusters`).
        diverged: the diverged cells among those of the claim.
        perfect: cells whose value is 0, of a ratio: they rank below all others.
        missing: cells without a value, with the reason; their seeds are not used.
        seeds_needed: least and most seeds that would probably decide an inconclusive claim (`seeds_to_decide`), by what
            effect and spread may be; empty where nothing says so.
        plan: the looks to plan for that (`start`, `step`, `most`), with those so far among them.
        looks: the planned looks, in seeds; empty where a study is looked at once.
        look: the look that this verdict rests on; None before the first, or where there is one look only.
        open: more looks are planned, and the claim is not decided.
        margin_because: the reason for the margin.
        gates: what the results say of each gate of the claim.
        at_margins: the verdicts that other margins would have given, by what they are of this one: `half`, `double`.
        judged_before: numbers of seeds at which it was judged outside of planned looks.
        p_over_looks: the p that a plan over those looks and this one would have given, after Holm.
        verdict_over_looks: the verdict that it would have given.
        changed: what of the claim was otherwise when the first result came, as sentences.
        sentence: the verdict for a reader who knows no statistics.
        not_shown: what the verdict does not say, for the same reader.
        notes: cautions.
    """

    id: str
    says: str = ""
    metric: str = Claim.metric
    contrast: dict[str, float] = field(default_factory=dict)
    expect: str = ""
    margin: float = math.nan
    paper: dict[str, str] = field(default_factory=dict)
    scale: str = "difference"
    trend: str = ""
    threshold: float | None = None
    verdict: str = NOT_TESTED
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    level: float = ALPHA
    sd: float | None = None
    d: float | None = None
    n: int = 0
    seeds: list[int] = field(default_factory=list)
    values: dict[int, float] = field(default_factory=dict)
    p: float | None = None
    p_holm: float | None = None
    p_signflip: float | None = None
    p_signflip_holm: float | None = None
    p_equivalence: float | None = None
    p_equivalence_holm: float | None = None
    tests: int = 1
    test: str = PAIRED_T
    disagreement: bool = False
    above: int = 0
    below: int = 0
    apart: list[int] = field(default_factory=list)
    diverged: list[str] = field(default_factory=list)
    perfect: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    seeds_needed: list[int] = field(default_factory=list)
    plan: dict[str, int] = field(default_factory=dict)
    looks: list[int] = field(default_factory=list)
    look: int | None = None
    open: bool = False
    margin_because: str = ""
    gates: list[GateReading] = field(default_factory=list)
    at_margins: dict[str, str] = field(default_factory=dict)
    judged_before: list[int] = field(default_factory=list)
    p_over_looks: float | None = None
    verdict_over_looks: str | None = None
    changed: list[str] = field(default_factory=list)
    sentence: str = ""
    not_shown: str = ""
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, claim: Claim) -> Verdict:
        """The verdict on a claim before anything is known."""
        paper = {"value": claim.paper.value, "where": claim.paper.where}
        contrast = {text: float(weight) for text, weight in claim.contrast.items()}
        return cls(
            claim.id, claim.says, claim.metric, contrast, claim.expect, float(claim.margin), paper,
            claim.scale, claim.trend, claim.threshold, margin_because=claim.margin_because,
        )  # fmt: skip

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Verdict:
        """What `to_dict` gave, as `verdicts.json` holds it, or a claim as `study.yaml` does, which nobody has judged.

        What is absent or null is not known; keys that are no field of a verdict are left aside.
        """
        names = {one.name for one in dataclasses.fields(cls)}
        given = {name: value for name, value in plain.items() if name in names and value is not None}
        if isinstance(needed := given.get("seeds_needed"), int):  # as written before it was a range
            given["seeds_needed"] = [needed, needed]
        values = {int(seed): math.nan if x is None else float(x) for seed, x in given.pop("values", {}).items()}
        gates = [GateReading.from_dict(gate) for gate in given.pop("gates", [])]
        return cls(**given, values=values, gates=gates)

    @property
    def is_tested(self) -> bool:
        """Whether it says anything of its claim."""
        return self.verdict != NOT_TESTED

    @property
    def is_measured(self) -> bool:
        """Whether some seed has a value of the contrast; also a claim that a gate keeps from being tested may have."""
        return self.n > 0

    @property
    def is_ranked(self) -> bool:
        """Whether ranks decide, so that there is no mean and no interval."""
        return self.test in (SIGNED_RANK, PERMUTED_RANK)

    @property
    def p_of_equivalence(self) -> float | None:
        """The p of equivalence that decides: after Holm, but for verdicts that were stored before that was taken."""
        return self.p_equivalence if self.p_equivalence_holm is None else self.p_equivalence_holm

    @property
    def bounds(self) -> tuple[float, float]:
        """The margin below and above zero, as effects are told: a ratio's is as far down as up on the log scale."""
        return (-self.margin / (1 + self.margin) if self.scale == "ratio" else -self.margin, self.margin)

    @property
    def measure(self) -> str:
        """What its effect is counted in: the metric, or a relative change of it."""
        return RELATIVE.name if self.scale == "ratio" else self.metric

    def replace(self, **changes: Any) -> Verdict:
        """A copy with other fields."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON can hold them: what is not finite becomes None."""
        plain: dict[str, Any] = _finite(dataclasses.asdict(self))
        return plain


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
