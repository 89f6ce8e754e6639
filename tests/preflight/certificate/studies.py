"""Studies of narrow, shallow networks, and their certificates."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.config.compose import prepare
from ablate.config.overrides import quote_arms
from ablate.preflight.certificate import Certificate
from ablate.preflight.certificate.certify import certify, refuse_no_ops
from ablate.study.plan import Study, plan_study

prepare()  # here, so that a test that forgets its own plugins does not forget the built-in ones

TINY = ("depth=8", "width=0.25", "study.seeds=1")
INCEPTION = ("backbone=googlenet", "stem=googlenet", "depth=null", "width=0.125", "study.seeds=1")
VGG = ("arch=vgg11", "data=digits", "width=0.0625", "study.seeds=1")


def study(arms: dict[str, str], around: Sequence[str] = TINY) -> Study:
    """A study of these arms, each with its overrides as text between brackets."""
    return plan_study([*around, *(quote_arms(f"+study.arms.{name}=[{text}]") for name, text in arms.items())])


def certificate(baseline: str, arm: str, around: Sequence[str] = TINY) -> Certificate:
    """Of one arm, `arm`, against one baseline, without a grid."""
    (found,) = certify(study({"baseline": baseline, "arm": arm}, around))
    return found


def refuse(baseline: str, arm: str, around: Sequence[str] = TINY) -> None:
    planned = study({"baseline": baseline, "arm": arm}, around)
    refuse_no_ops(planned, certify(planned))
