"""What the certificates of a study's arms say, for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ablate.preflight.certificate import Certificate, Mark, marks
from ablate.preflight.certificate.form import DIFFER
from ablate.report import format as fmt

HEADER = ["arm", "baseline", "at", "varied", "modules", "outputs, shared weights", "Δ parameters", "Δ multiply-adds"]
LEAST_SHOWN = 0.001
OUTPUTS = ("training outputs", "evaluation outputs")


def certificate_rows(certificates: Sequence[Certificate]) -> tuple[list[str], list[list[str]]]:
    """Header and a row for each arm and grid point with a baseline; the last two columns are figures."""
    rows = [
        [one.arm, one.baseline, one.place, _varied(one), _modules(one), outputs_text(one), *_sizes(one)]
        for one in certificates
    ]
    if any(one.point for one in certificates):
        return HEADER, rows
    return [*HEADER[:2], *HEADER[3:]], [[*row[:2], *row[3:]] for row in rows]


def mark_lines(certificates: Iterable[Certificate]) -> list[str]:
    """Each mark as a sentence."""
    return [_sentence(mark) for mark in marks(certificates)]


def arm_cautions(certificates: Iterable[Certificate], contrast: Iterable[str]) -> list[str]:
    """What stands against reading a contrast between arms as the effect of what they declare.

    Args:
        certificates: of the study's arms.
        contrast: the selectors of a claim, such as `pre@depth=110`.
    """
    arms = {selector.partition("@")[0] for selector in contrast}
    # Within one arm nothing but the grid differs, and no arm's side effects can confound that.
    if len(arms) < 2:
        return []
    found = [mark for mark in marks(certificates) if mark.confounds and mark.arm in arms]
    return [f"{_sentence(mark).removesuffix('.')}: the difference may come from that." for mark in found]


def outputs_text(certificate: Certificate) -> str:
    """What comparing the outputs has shown, with what else differs in effect."""
    found = certificate.evidence
    others = ", ".join([*found.recipe, *(f"unchecked: {name}" for name in found.unchecked)])
    text = f"{found.outputs}{_by(certificate) if found.outputs == DIFFER else ''}"
    if found.note:
        text += f" ({found.note})"
    return f"{text}; differs: {others}" if others else text


def _by(certificate: Certificate) -> str:
    """The largest relative difference: of the outputs, or where these agree of the gradients or what else differs."""
    differences = certificate.evidence.differences
    where = max(OUTPUTS, key=lambda name: _number(differences.get(name, 0.0)))
    if not _number(differences.get(where, 0.0)):
        where = max(differences, key=lambda name: _number(differences[name]))
    value = differences[where]
    size = "not finite in one" if value is None else f"by up to {fmt.number(100 * value, 1 if value < 0.1 else 0)} %"
    return f" {size}" + ("" if where in OUTPUTS else f" in {where}")


def _number(value: float | None) -> float:
    return float("inf") if value is None else value


def _varied(certificate: Certificate) -> str:
    factors = [f"{name} (undeclared)" if name in certificate.undeclared else name for name in certificate.factors]
    return ", ".join(factors)


def _modules(certificate: Certificate) -> str:
    return "; ".join(certificate.evidence.modules) or "the same"


def _sizes(certificate: Certificate) -> list[str]:
    pairs = ((certificate.evidence.params, certificate.params_change),
             (certificate.evidence.flops, certificate.flops_change))  # fmt: skip
    return [_size(after - before, change) for (before, after), change in pairs]


def _size(difference: int, change: float) -> str:
    if not difference:
        return "0"
    sign = "+" if difference > 0 else fmt.MINUS
    share = fmt.number(100 * change, 1, sign=True) if abs(change) >= LEAST_SHOWN else "below 0.1"
    return f"{sign}{fmt.count(abs(difference))} ({share} %)"


def _sentence(mark: Mark) -> str:
    return f"Arm {mark.arm} {mark.text}."
