"""What a verdict's sentence says, read back from its own words and held against the values of the verdict."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from ablate.analysis import Verdict
from ablate.analysis.metrics import metric_of
from ablate.analysis.verdict import EXACT

ALPHA = 0.05
NUMBER = r"[+-]?(?:infinite|[\d,]*\.?\d+(?:e[+-]?\d+)?)"
AVERAGED = re.compile(
    rf" is (?P<effect>{NUMBER})(?P<unit>[^(]*) \((?P<cover>[\d.]+) % interval (?P<low>{NUMBER}) to (?P<high>{NUMBER}), "
    rf"(?P<n>\d+) paired seeds, (?P<p>[^)]*)\)$"
)
RANKED = re.compile(
    r" is above zero in (?P<above>\d+) and below zero in (?P<below>\d+) of (?P<n>\d+) paired seeds?(?P<by> by ranks)? "
    r"\((?P<how>[^)]*)\)$"
)
P = re.compile(
    r"(?:(?P<none>no)|)\s?(?P<name>Holm|equivalence) p(?: (?P<op>[=<]|just below|at) (?P<value>[\d.e-]+))?"
    r"(?:, level (?P<level>[\d.]+))?$"
)
ADVICE = re.compile(
    r"^about (?P<low>\d+)(?: to (?P<high>\d+))? seeds(?P<more> or many more)? would probably decide it"
    r"(?:, as with 'study\.seeds=\{start:(?P<start>\d+),step:(?P<step>\d+),most:(?P<most>\d+)\}')?$"
)
MATTERS = r"the (?P<size>[\d.e+-]+) ?(?P<unit>[^()]*?) ?that matters?(?: \((?P<down>[\d.]+) % downwards\))?"


class Contradiction(AssertionError):
    """A sentence says what the values of its verdict do not."""


def hold(verdict: Verdict) -> None:
    """Read a verdict's sentence and compare all that it says.

    Raises:
        Contradiction: something in it is not so, or says nothing that is known here.
    """
    _require(verdict.sentence.endswith("."), verdict, "it ends")
    head, _, rest = verdict.sentence[:-1].partition(": ")
    _require(head.lower() == verdict.verdict, verdict, "its word")
    if verdict.verdict == "not tested":
        _require(verdict.p_holm is None and not verdict.seeds_needed, verdict, "a verdict that is not tested has no p")
        return
    _require(all(gate.holds is True for gate in verdict.gates) or not verdict.n, verdict, "a gate that does not hold")
    if verdict.n == 0 or (verdict.n == 1 and not verdict.is_ranked and verdict.test != EXACT):
        _require(verdict.verdict == "inconclusive", verdict, "nothing is known")
        _require("cannot be given" in rest or "nothing is shown" in rest, verdict, "it says so")
        return
    if verdict.test == EXACT:
        _hold_exact(verdict, rest)
        return
    figure, *clauses = rest.split("; ")
    if verdict.is_ranked:
        _hold_ranked(verdict, figure)
    else:
        _hold_averaged(verdict, figure)
    _require(bool(clauses), verdict, "it says what is shown")
    for clause in clauses:
        _hold_clause(verdict, clause)


def _require(condition: bool, verdict: Verdict, what: str) -> None:
    if not condition:
        raise Contradiction(f"{what}: {verdict}")


def _number(text: str) -> float:
    return math.inf * (-1 if text[0] == "-" else 1) if text.endswith("infinite") else float(text.replace(",", ""))


def _side(value: float) -> int:
    return int(value > 0) - int(value < 0)


def _near(text: str, value: float, verdict: Verdict, what: str) -> None:
    """A printed value is the value, to the digits that are printed, and of the same sign."""
    shown, true = _number(text), value * metric_of(verdict.measure).factor
    if math.isinf(shown) or math.isinf(true):
        _require(shown == true, verdict, what)
        return
    digits = text.lower().partition("e")[0].replace(",", "")
    step = 10.0 ** -len(digits.partition(".")[2]) * 10.0 ** int(text.lower().partition("e")[2] or 0)
    _require(abs(shown - true) <= 0.51 * step + 1e-9 * abs(true), verdict, f"{what} is printed as {text}")


def _hold_p(verdict: Verdict, text: str) -> None:
    found = P.search(text)
    _require(found is not None, verdict, f"its p reads {text}")
    assert found is not None
    is_equivalence = found["name"] == "equivalence"
    value, level = (verdict.p_equivalence_holm, ALPHA / 2) if is_equivalence else (verdict.p_holm, ALPHA)
    _require((found["none"] is None) == (value is not None), verdict, "whether there is a p")
    if value is None:
        return
    _require((found["level"] is not None) == is_equivalence, verdict, "the level of equivalence is said")
    if is_equivalence:
        _require(float(found["level"]) == level, verdict, "its level")
    shown = float(found["value"])
    if found["op"] == "<":
        _require(value < shown, verdict, "its p")
    elif found["op"] == "=":
        _require(abs(shown - value) <= 0.06 * value, verdict, "its p")
        _require((shown < level) == (value < level), verdict, "its p rounds over the level")


def _hold_averaged(verdict: Verdict, figure: str) -> None:
    found = AVERAGED.search(figure)
    _require(found is not None, verdict, "its figure")
    assert found is not None
    values = {"effect": verdict.effect, "low": verdict.low, "high": verdict.high}
    bounds = [bound for bound in (*verdict.bounds, 0.0) if math.isfinite(bound)]
    k = metric_of(verdict.measure).factor
    wide = (verdict.high or 0.0) - (verdict.low or 0.0)
    for name, value in values.items():
        assert value is not None
        _near(found[name], value, verdict, name)
        for bound in bounds:
            if abs(value - bound) > 1e-5 * (wide or abs(value)):
                _require(_side(_number(found[name]) - k * bound) == _side(value - bound), verdict, f"{name} by {bound}")
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.effect is not None
    _require(verdict.low <= verdict.effect <= verdict.high, verdict, "its interval holds its effect")
    _require(int(found["n"]) == verdict.n == len(verdict.values), verdict, "its seeds")
    _require(float(found["cover"]) == float(f"{100 * (1 - verdict.level):.3g}"), verdict, "its coverage")
    _hold_p(verdict, found["p"])


def _hold_ranked(verdict: Verdict, figure: str) -> None:
    found = RANKED.search(figure)
    _require(found is not None, verdict, "its figure")
    assert found is not None
    _require((int(found["above"]), int(found["below"])) == (verdict.above, verdict.below), verdict, "its counts")
    if not found["by"]:
        sides = [_side(value) for value in verdict.values.values()]
        _require((sides.count(1), sides.count(-1)) == (verdict.above, verdict.below), verdict, "its values")
    _require(int(found["n"]) == verdict.n, verdict, "its seeds")
    _require((verdict.low, verdict.high, verdict.sd) == (None,) * 3, verdict, "ranks have no interval")
    _hold_p(verdict, found["how"])


def _hold_exact(verdict: Verdict, rest: str) -> None:
    found = re.search(rf" is (?P<effect>{NUMBER})(?:[^,;]*), exactly(?P<then>.*)$", rest)
    _require(found is not None, verdict, "its figure")
    assert found is not None
    effect, (down, up) = verdict.effect, verdict.bounds
    assert effect is not None
    _near(found["effect"], effect, verdict, "effect")
    sign = {"positive": 1, "negative": -1}.get(verdict.expect, 0)
    if "less than" in found["then"]:
        _require(down < effect < up, verdict, "an exact effect within the margin")
    if "within" in found["then"]:
        _require(down * (1 + 1e-8) <= effect <= up * (1 + 1e-8), verdict, "an exact effect within the margin")
    if "at least" in found["then"]:
        _require(sign * effect > 0 and not down * (1 - 1e-8) < effect < up * (1 - 1e-8), verdict, "an exact effect")
    if "the claim says there is" in found["then"]:
        _require(sign * effect < 0 or (sign == 0 and not down <= effect <= up), verdict, "an exact effect against")


def _hold_clause(verdict: Verdict, clause: str) -> None:
    for pattern, check in CLAUSES.items():
        if found := re.fullmatch(pattern, clause):
            _hold_margin(verdict, found)
            check(verdict, clause)
            return
    if found := ADVICE.match(clause):
        _hold_advice(verdict, found)
        return
    raise Contradiction(f"nothing is known of '{clause}': {verdict}")


def _hold_margin(verdict: Verdict, found: re.Match[str]) -> None:
    """The margin in the words is that on the side of which they speak."""
    if "size" not in found.re.groupindex or found["size"] is None:
        return
    down, up = (abs(metric_of(verdict.measure).factor * bound) for bound in verdict.bounds)
    one_sided = found["down"] is None and verdict.expect == "negative" and verdict.verdict != "equivalent"
    _require(math.isclose(float(found["size"]), down if one_sided else up, rel_tol=6e-3), verdict, "its margin")
    if found["down"]:
        _require(math.isclose(float(found["down"]), down, rel_tol=6e-3), verdict, "its margin downwards")


def _hold_advice(verdict: Verdict, found: re.Match[str]) -> None:
    low, high = verdict.seeds_needed
    _require(int(found["low"]) == low <= high, verdict, "the least seeds that decide")
    _require(low > verdict.n, verdict, "more seeds than there are")
    _require(verdict.verdict == "inconclusive" and not verdict.open, verdict, "advice where it is of use")
    if found["start"]:
        start, step, most = (int(found[name]) for name in ("start", "step", "most"))
        _require(verdict.plan == {"start": start, "step": step, "most": most}, verdict, "its plan")
        _require(3 <= start < most, verdict, "its plan can be typed")
        lost = {re.findall(r" seed (\d+)", name)[-1] for name in verdict.missing}
        for look in verdict.looks or [max(3, verdict.n + len(lost))]:
            _require(look in range(start, most + 1, step), verdict, "its plan has the looks so far")


def _excluded(verdict: Verdict) -> bool:
    return verdict.p_holm is not None and verdict.p_holm < ALPHA


def _inside(verdict: Verdict) -> bool:
    return verdict.p_equivalence_holm is not None and verdict.p_equivalence_holm < ALPHA / 2


def _toward(verdict: Verdict) -> float:
    """The effect, counted in the expected direction."""
    effect = verdict.effect if verdict.effect is not None else math.nan
    return -effect if verdict.expect == "negative" else effect


def _bound(verdict: Verdict) -> float:
    return -verdict.bounds[0] if verdict.expect == "negative" else verdict.bounds[1]


def _interval(verdict: Verdict) -> tuple[float, float]:
    """The interval in the expected direction; without end where there is none."""
    if verdict.low is None or verdict.high is None:
        return -math.inf, math.inf
    return (-verdict.high, -verdict.low) if verdict.expect == "negative" else (verdict.low, verdict.high)


def _is_within(verdict: Verdict) -> bool:
    return (
        verdict.low is not None and verdict.high is not None
        and (1 - 1e-9) * verdict.bounds[0] < verdict.low and verdict.high < (1 - 1e-9) * verdict.bounds[1]
    )  # fmt: skip


def _smaller(verdict: Verdict, clause: str) -> None:
    _require(_inside(verdict) and _is_within(verdict), verdict, clause)
    _require(("although" in clause) == (verdict.verdict == "equivalent" and _excluded(verdict)), verdict, clause)


def _larger(verdict: Verdict, clause: str) -> None:
    _require(_excluded(verdict) and not _inside(verdict), verdict, clause)
    if not verdict.is_ranked:
        low, high, (down, up) = verdict.low, verdict.high, verdict.bounds
        _require(low is not None and high is not None and (low >= up or high <= down), verdict, clause)


def _shown_short(verdict: Verdict, clause: str) -> None:
    _require(_excluded(verdict), verdict, clause)
    if verdict.is_ranked:
        _require(not _toward(verdict) >= max(_bound(verdict), 1e-300), verdict, clause)
    else:
        _require(_interval(verdict)[0] > 0 and _toward(verdict) < _bound(verdict), verdict, clause)


def _reached(verdict: Verdict, clause: str) -> None:
    _require(_excluded(verdict) and _toward(verdict) > 0, verdict, clause)
    _require(_toward(verdict) >= _bound(verdict) * (1 - 1e-9), verdict, clause)
    if not verdict.is_ranked:
        _require(_interval(verdict)[0] >= 0, verdict, clause)
    if clause.startswith("at least"):
        _require(_interval(verdict)[0] >= _bound(verdict) * (1 - 1e-9), verdict, clause)
    if "not ruled out" in clause:
        _require(_interval(verdict)[0] < _bound(verdict), verdict, clause)


def _of_other_sign(verdict: Verdict, clause: str) -> None:
    _require(_excluded(verdict) and not _toward(verdict) > 0, verdict, clause)
    _require(verdict.is_ranked or _interval(verdict)[1] <= 0, verdict, clause)


def _neither(verdict: Verdict, clause: str) -> None:
    _require(not _excluded(verdict), verdict, clause)
    low, high = _interval(verdict)
    _require(low <= 0 <= high, verdict, clause)


def _excludes_but(verdict: Verdict, clause: str) -> None:
    low, high = _interval(verdict)
    _require(not _excluded(verdict) and (low > 0 or high < 0), verdict, clause)
    _why(verdict, clause)


def _open_zero(verdict: Verdict, clause: str) -> None:
    _require(not _inside(verdict) and not _excluded(verdict), verdict, clause)
    low, high, (down, up) = verdict.low, verdict.high, verdict.bounds
    known = low is not None and high is not None
    _why(verdict, clause)
    _require(("lies within" in clause) == _is_within(verdict), verdict, clause)
    _require(
        ("lies beyond" in clause) == (known and (low > (1 + 1e-9) * up or high < (1 + 1e-9) * down)), verdict, clause
    )  # type: ignore[operator]


def _within_but(verdict: Verdict, clause: str) -> None:
    _require(_is_within(verdict) and not _inside(verdict), verdict, clause)
    _why(verdict, clause)
    _require("Holm" not in clause or (verdict.p_equivalence or 0.0) < ALPHA / 2, verdict, clause)


def _why(verdict: Verdict, clause: str) -> None:
    """Holm stands against a statement only where there are several claims."""
    if "Holm asks more" in clause:
        _require(verdict.tests > 1, verdict, clause)
        _require(f"over {verdict.tests} claims" in clause, verdict, clause)
    if "equal values" in clause:
        _require(verdict.sd == 0, verdict, clause)


def _before_the_first_look(verdict: Verdict, clause: str) -> None:
    _require(bool(verdict.looks) and verdict.look is None and verdict.verdict == "inconclusive", verdict, clause)


def _nothing(verdict: Verdict, clause: str) -> None:
    _require(verdict.verdict == "inconclusive", verdict, clause)


REASON = (
    r"(?:Holm asks more over \d+ claims|\d+ equal values are too few|only just|"
    r"arms that change places come as far by chance)"
)
SIGN = r"(?:positive|negative)"
CLAUSES: dict[str, Callable[[Verdict, str], None]] = {
    rf"the difference is smaller than {MATTERS}(?:, as the claim says|, although it is not zero)?": _smaller,
    rf"the difference is larger than {MATTERS}, where the claim says there is none": _larger,
    rf"at least {MATTERS}": _reached,
    rf"the estimate reaches {MATTERS}, but a smaller one is not ruled out": _reached,
    rf"the size that would balance the ranks reaches {MATTERS}, but it has no interval": _reached,
    rf"the difference is {SIGN}, as the claim says": _reached,
    rf"the claim says the difference is {SIGN}, and it is of the other sign": _of_other_sign,
    rf"a {SIGN} difference is shown, but not that it reaches {MATTERS}": _shown_short,
    rf"a {SIGN} difference is neither shown nor ruled out": _neither,
    rf"the interval excludes zero, but {REASON}, so no difference is shown": _excludes_but,
    rf"(?:the interval lies (?:within|beyond) [^,]*, but {REASON}, so )?"
    rf"whether the difference is smaller than {MATTERS} is not shown": _open_zero,
    rf"the interval lies within {MATTERS}, but {REASON}, so that the difference is smaller is not shown": _within_but,
    r"nothing is decided before the first look": _before_the_first_look,
    r"to decide it would take 1000 seeds or more": _nothing,
}
