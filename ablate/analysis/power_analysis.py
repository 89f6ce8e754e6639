"""What a number of seeds can see, before and after a study."""

from __future__ import annotations

import functools
import math

import numpy as np
from scipy import special

from ablate.analysis.rule import SIGNS, Criterion, decide
from ablate.analysis.sequential import Look, Looks
from ablate.analysis.statistics import ALPHA, FloatArray, difference_p, equivalence_p

POWER = 0.8
MOST_SEEDS = 1000  # beyond this, "more seeds" is no advice
SIMULATED = 4000  # studies that the power of several looks is read off
SPREADS = 512  # points at which the distribution of the observed spread is taken


def power(n: int, d: float, *, alpha: float = ALPHA) -> float:
    """Chance that a two-sided paired t test with n seeds excludes zero, for a true effect of d standard deviations.

    It is the tail of the noncentral t distribution with n - 1 degrees of freedom and noncentrality d * sqrt(n), taken
    as a mean of normal tails over the observed spread. (The noncentral t of scipy 1.17 is NaN at n = 6, d = 3,
    alpha = 0.01; where it is not, the two agree to 2e-4 for alpha of at least 0.01.)
    """
    return decision_power(n, d, 1.0, Criterion("positive", alpha=alpha))


def sequential_power(looks: Looks, d: float, *, alpha: float = ALPHA) -> float:
    """Chance that some look of a sequential study excludes zero, for a true effect of d standard deviations.

    Read off simulated studies, always the same ones, to within a point and a half (two standard errors at one half).
    """
    looked = [Look(seeds, looks) for seeds in looks]
    crossed = np.zeros(SIMULATED, dtype=bool)
    for look, (mean, sd) in zip(looked, _simulated(looks), strict=True):
        crossed |= difference_p(mean + d, sd, look.seeds) < look.level(alpha)
    return float(crossed.mean())


def smallest_detectable_effect(
    n: int, sd: float = 1.0, *, alpha: float = ALPHA, target: float = POWER, looks: Looks = ()
) -> float:
    """The smallest true effect that n paired seeds show with `target` power, in units of `sd`.

    Args:
        n: paired seeds.
        sd: standard deviation of the paired values; with 1 the answer is the standardised effect.
        alpha: level of the test; divide it by the number of claims for what Holm demands at its strictest.
        target: the chance wanted.
        looks: of a study that is looked at several times, the last at n seeds.

    Returns:
        Infinity for fewer than two seeds, which show no effect of any size.
    """
    if n < 2:
        return math.inf
    from scipy import optimize  # a third of a second that only plans need

    def lacking(d: float) -> float:
        return (sequential_power(looks, d, alpha=alpha) if len(looks) > 1 else power(n, d, alpha=alpha)) - target

    tolerance = 1e-3 if len(looks) > 1 else 1e-9  # simulated power comes in steps
    strictest = Look(n, looks).level(alpha)
    upper = (2 * float(special.stdtrit(n - 1, 1 - strictest / 2)) + 5) / math.sqrt(n)
    return sd * float(optimize.brentq(lacking, 0.0, upper, xtol=tolerance))


def decision_power(n: int, effect: float, sd: float, criterion: Criterion) -> float:
    """Chance that n seeds end in a verdict other than `inconclusive`, for a true effect and spread (normal values).

    The rule is that of `ablate.analysis.rule.decide`, where what Holm adjusts is tested at alpha / tests, the strictest
    that it can ask. Given the observed spread the verdicts are ranges of the observed mean; their chances are averaged
    over the distribution of that spread.

    Args:
        n: paired seeds.
        effect: true mean of the paired values.
        sd: their true standard deviation, above 0.
        criterion: what the claim is held against.
    """
    if n < 2:
        return 0.0
    return float(sum(_chances(n, effect, sd, criterion)))


def supported_power(n: int, effect: float, sd: float, criterion: Criterion, looks: Looks = ()) -> float:
    """Chance that a claim ends as `supported`, for a true effect and spread (normal values).

    An expected sign needs an effect that reaches the margin: of a true effect that is just the margin, half of the
    studies see less.

    Args:
        n: paired seeds; with several looks those of the last.
        effect: true mean of the paired values.
        sd: their true standard deviation, above 0.
        criterion: what the claim is held against, at the strictest level that Holm can ask.
        looks: of a study that is looked at several times; the chance is then read off simulated studies.
    """
    if n < 2:
        return 0.0
    if len(looks) < 2:
        return _chances(n, effect, sd, criterion)[0]
    found = np.full(SIMULATED, "inconclusive", dtype="<U12")
    for look, (mean, spread) in zip([Look(seeds, looks) for seeds in looks], _simulated(looks), strict=True):
        seen, error = effect + sd * mean, sd * spread
        beyond = criterion.tests * look.adjusted(difference_p(seen, error, look.seeds, criterion.tested_margin))
        inside = look.adjusted_one_sided(equivalence_p(seen, error, look.seeds, criterion.margin))
        inside = inside * _tests_of_none(criterion)
        found = np.where(found == "inconclusive", decide(criterion, seen, beyond, inside), found)
    return float(np.mean(found == "supported"))


def margin_for_zero(n: int, *, alpha: float = ALPHA, target: float = POWER, looks: Looks = ()) -> float:
    """The smallest margin, in standard deviations, at which a true zero is `supported` with `target` power.

    Infinity for fewer than two seeds.
    """
    if n < 2:
        return math.inf
    from scipy import optimize  # a third of a second that only plans need

    def lacking(margin: float) -> float:
        return supported_power(n, 0.0, 1.0, Criterion("zero", margin, alpha), looks) - target

    upper = (4 * float(special.stdtrit(n - 1, 1 - Look(n, looks).level(alpha) / 2)) + 5) / math.sqrt(n)
    return float(optimize.brentq(lacking, 0.0, upper, xtol=1e-3 if len(looks) > 1 else 1e-9))


def _tests_of_none(criterion: Criterion) -> int:
    """Over how many claims that no difference matters is adjusted: not at all where a sign is expected."""
    return criterion.tests if criterion.expect == "zero" else 1


def _chances(n: int, effect: float, sd: float, criterion: Criterion) -> tuple[float, float, float]:
    """Of `supported`, `contradicted` and `equivalent`: the observed spread given, each is a range of observed means."""
    margin = criterion.margin
    error = sd / math.sqrt(n)
    spread = error * _observed_spreads(n)
    excluded = float(special.stdtrit(n - 1, 1 - criterion.alpha / criterion.tests / 2)) * spread
    inside = margin - float(special.stdtrit(n - 1, 1 - criterion.alpha / _tests_of_none(criterion) / 2)) * spread

    def above(bound: FloatArray, mean: float) -> FloatArray:
        return np.asarray(special.ndtr((mean - bound) / error))

    none = float(np.maximum(0.0, above(-inside, effect) - above(inside, effect)).mean())
    if criterion.expect == "zero":
        beyond = above(margin + excluded, effect) + above(margin + excluded, -effect)
        return none, float(beyond.mean()), 0.0
    toward = SIGNS[criterion.expect] * effect
    expected, other = above(np.maximum(margin, excluded), toward), above(np.maximum(inside, excluded), -toward)
    return float(expected.mean()), float(other.mean()), none


def seeds_to_decide(n: int, effect: float, sd: float, criterion: Criterion) -> int | None:
    """The number of seeds, above n, that would give a verdict with 80 % power if effect and spread are as observed.

    They are observed with error, so the number is a guide and no promise.

    Args:
        n: seeds so far.
        effect: observed mean of the paired values.
        sd: their observed standard deviation; with 0 the exact sign-flip decides.
        criterion: what the claim is held against.

    Returns:
        At most `MOST_SEEDS`, which then stands for "that many or more"; None where nothing can be estimated (fewer than
        two seeds), or where no number decides (no spread, and an effect exactly at the edge).
    """
    if n < 2 or not (math.isfinite(effect) and math.isfinite(sd)):
        return None
    if sd == 0:
        return _seeds_without_spread(n, effect, criterion)
    low, high = n, MOST_SEEDS
    if n >= MOST_SEEDS or decision_power(high, effect, sd, criterion) < POWER:
        return MOST_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        enough = decision_power(middle, effect, sd, criterion) >= POWER
        low, high = (low, middle) if enough else (middle, high)
    return high


def _seeds_without_spread(n: int, effect: float, criterion: Criterion) -> int | None:
    """All values equal: the seeds at which 2**-n, the one-sided exact sign-flip, decides."""
    margin = criterion.margin
    within = abs(effect) < margin * (1 - 1e-9)
    if not within and abs(effect) <= criterion.tested_margin * (1 + 1e-9):
        return None
    level = criterion.alpha / (_tests_of_none(criterion) if within else criterion.tests) / 2
    return max(n + 1, math.floor(math.log2(1 / level)) + 1)


@functools.lru_cache(maxsize=256)
def _observed_spreads(n: int) -> FloatArray:
    """Equally likely values of observed over true standard deviation: a scaled chi with n - 1 degrees of freedom."""
    quantiles = (np.arange(SPREADS) + 0.5) / SPREADS
    return np.asarray(np.sqrt(2 * special.gammaincinv((n - 1) / 2, quantiles) / (n - 1)))


@functools.lru_cache(maxsize=8)
def _simulated(looks: Looks) -> list[tuple[FloatArray, FloatArray]]:
    """Means and standard deviations at each look of studies of standard normal values."""
    values = np.random.default_rng(0).normal(size=(SIMULATED, looks[-1]))
    return [(values[:, :n].mean(axis=1), values[:, :n].std(axis=1, ddof=1)) for n in looks]
