"""The certificates of a study: every arm against its baseline at every grid point, each pair of configs once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from ablate.config.identity import decisive
from ablate.errors import InputError
from ablate.network.profile import Profile, profile
from ablate.preflight.certificate.changes import changed_factors, config_difference, declared_keys, undeclared_factors
from ablate.preflight.certificate.form import Certificate, Evidence
from ablate.registry.blame import blaming
from ablate.system.paths import PACKAGE

if TYPE_CHECKING:
    from ablate.study.plan import Cell, Study

# Seconds that comparing outputs may take in all, as `_cost` guesses them; each arm is compared at its cheapest point
# whatever that costs, and at further ones until some effect is found.
BUDGET = 3.0
SECONDS_PER_LAYER = 2e-4  # of building and running it, whatever its size
IMAGES_MULTIPLY_ADDS_PER_SECOND = 2.5e8  # of one image, where a comparison is of a batch, forward and backward
PARAMETERS_PER_SECOND = 2e7  # drawing them, twice


@dataclass(frozen=True)
class Pair:
    """A cell and that of its baseline, at one grid point."""

    arm: Cell
    baseline: Cell
    difference: dict[str, list[Any]]
    key: str

    @property
    def networks(self) -> tuple[Profile, Profile]:
        """Of the baseline and of the arm."""
        return profile(self.baseline.config), profile(self.arm.config)

    @property
    def cost(self) -> float:
        """Seconds that comparing the two may take, roughly and always the same."""
        return sum(map(_cost, self.networks))


def certify(study: Study, known: Iterable[Certificate] = ()) -> list[Certificate]:
    """The certificate of every arm that has a baseline, at every grid point that both have.

    Args:
        study: as planned.
        known: certificates from before; the evidence of those for the same configs and code is taken over.

    Raises:
        InputError: a network cannot be built.
    """
    pairs = list(_pairs(study))
    # Keys hold code and configs, so that evidence of an older plugin is not taken over but simply not found.
    evidence = {one.key: one.evidence for one in known}
    wanted = {pair.key: pair for pair in pairs if pair.key not in evidence}
    # An arm that is known to do something somewhere cannot be refused: other points are compared if time allows.
    settled = {pair.arm.arm for pair in pairs if pair.key in evidence and not evidence[pair.key].is_no_op}
    if wanted:
        evidence |= _collect(list(wanted.values()), settled)
    declared = {name: declared_keys(study.arms[name]) for name in {pair.arm.arm for pair in pairs}}
    return [
        replace(
            _certificate(pair, declared[pair.arm.arm], evidence[pair.key]),
            seeds_from=study.arms[pair.arm.arm].seeds_from,
        )
        for pair in pairs
    ]


def refuse_no_ops(study: Study, certificates: Iterable[Certificate]) -> None:
    """Refuse an arm that changes nothing at any grid point: it would be compared with itself.

    Raises:
        InputError: there is one; says what it sets, and that nothing of it has an effect.
    """
    by_arm: dict[str, list[Certificate]] = {}
    for certificate in certificates:
        by_arm.setdefault(certificate.arm, []).append(certificate)
    for arm, of_arm in by_arm.items():
        # A null arm is there to change nothing but its streams.
        if study.arms[arm].seeds_from is None and all(one.evidence.is_no_op for one in of_arm):
            cell = next(cell for cell in study.cells if cell.arm == arm)
            raise InputError(_refusal(of_arm, cell))


def _refusal(certificates: list[Certificate], cell: Cell) -> str:
    one = certificates[0]
    keys = ", ".join(_change(one.config, factor) for factor in one.factors)
    where = f" at any of {len(certificates)} grid points" if len(certificates) > 1 else ""
    found = f"it differs in {keys}, which has no effect with backbone={cell.config['backbone']['name']}" if keys else (
        "their configs decide the same"
    )  # fmt: skip
    return (
        f"arm '{one.arm}' changes nothing against its baseline '{one.baseline}'{where}: {found} (same outputs with "
        f"shared weights, same size, same training); give it an override that takes effect, or leave the arm out"
    )


def _change(config: Mapping[str, list[Any]], factor: str) -> str:
    """A factor with both its values, such as "shortcut: identity -> projection"."""
    before, after = config[factor] if factor in config else config[f"{factor}.name"]
    return f"{factor}: {_text(before)} -> {_text(after)}"


def _text(value: Any) -> str:
    return json.dumps(value, default=str) if value is None or isinstance(value, bool | list | dict) else str(value)


def _pairs(study: Study) -> Iterator[Pair]:
    # One cell of each place: its seeds differ in nothing that a certificate is about.
    first: dict[tuple[str, str], Cell] = {}
    for cell in study.cells:
        first.setdefault((cell.arm, _point(cell)), cell)
    for (name, point), cell in first.items():
        arm = study.arms.get(name)
        baseline = first.get((arm.baseline, point)) if arm and arm.baseline else None
        if baseline is not None:
            # On one seed, also where the arm has streams of its own: a certificate is about what else it changes.
            arm_cell = replace(cell, config={**cell.config, "seed": baseline.config["seed"]})
            difference = config_difference(baseline.config, arm_cell.config)
            yield Pair(arm_cell, baseline, difference, _key(baseline, arm_cell))


def _collect(pairs: list[Pair], settled: set[str]) -> dict[str, Evidence]:
    """Evidence for each pair: run where the arm has shown no effect yet or the budget allows, cheapest first.

    Args:
        pairs: what is to be looked at.
        settled: the arms that have shown an effect; those that show one here are added.
    """
    from ablate.preflight.certificate.evidence import Sizes, full_evidence, static_evidence

    found: dict[str, Evidence] = {}
    spent = 0.0
    # So the budget buys most comparisons, and each arm's first is that at its cheapest point.
    for pair in sorted(pairs, key=lambda pair: pair.cost):
        before, after = pair.networks
        sizes = Sizes((before.params, after.params), (before.flops, after.flops))
        configs = pair.baseline.config, pair.arm.config, pair.difference, sizes
        if pair.arm.arm in settled and spent + pair.cost > BUDGET:
            note = "beyond the time for comparisons; compared at cheaper grid points"
            found[pair.key] = static_evidence(*configs, note)
            continue
        spent += pair.cost
        with blaming(pair.arm.config, "building the network"):
            found[pair.key] = full_evidence(*configs)
        if not found[pair.key].is_no_op:
            settled.add(pair.arm.arm)
    return found


def _certificate(pair: Pair, declared: list[str], evidence: Evidence) -> Certificate:
    factors = changed_factors(pair.difference)
    return Certificate(
        arm=pair.arm.arm,
        baseline=pair.baseline.arm,
        point=pair.arm.factors,
        key=pair.key,
        config=pair.difference,
        factors=factors,
        undeclared=undeclared_factors(declared, factors),
        declared=declared,
        evidence=evidence,
    )


def _cost(network: Profile) -> float:
    return (
        network.layers * SECONDS_PER_LAYER
        + network.flops / IMAGES_MULTIPLY_ADDS_PER_SECOND
        + network.params / PARAMETERS_PER_SECOND
    )


def _key(baseline: Cell, arm: Cell) -> str:
    # Without the seed, which changes nothing of what an arm is, and with all code that could change the answer.
    configs = [{**decisive(cell.config), "seed": 0} for cell in (baseline, arm)]
    parts = [configs, baseline.code, arm.code, _own_code()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


@cache
def _own_code() -> str:
    """A hash of what takes certificates."""
    files = sorted((PACKAGE / "preflight" / "certificate").glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _point(cell: Cell) -> str:
    return repr(sorted(cell.factors.items()))
