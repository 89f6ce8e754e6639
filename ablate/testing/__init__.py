"""Conformance suites: what a plugin of each kind must do, as tests that a plugin of your own inherits.

Subclass the class of your plugin's kind in a pytest file, and say which plugin is meant:

    from ablate.testing import BlockConformance

    class TestSqueezeExcite(BlockConformance):
        name = "squeeze_excite"
        options = {"reduction": 4}  # where the defaults do not fit narrow networks

What a plugin cannot pass, because its source has it otherwise, it declares:

        expected_failures = {"test_every_parameter_is_trained_once": "the first layer stays frozen (paper, section 3)"}
"""

import pytest

_MODULES = (
    "_base", "act", "backbone", "data", "engine", "feeding", "head", "init", "looking", "networks", "norm", "parts",
    "stem", "tracker", "training", "units",
)  # fmt: skip
# Before they are imported: then a failing assert shows its values, as in a test file.
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _MODULES))

from ablate.testing._base import Conformance
from ablate.testing.act import ActConformance
from ablate.testing.backbone import AuxConformance, BackboneConformance
from ablate.testing.data import DataConformance
from ablate.testing.engine import EngineConformance, Recorder, broken_job, has_result, job_of
from ablate.testing.feeding import (
    CHANNELS,
    SAMPLES,
    AugmentConformance,
    EvaluationConformance,
    FeedingConformance,
    normalised,
)
from ablate.testing.head import HeadConformance
from ablate.testing.init import InitConformance
from ablate.testing.looking import CallbackConformance, LookingConformance, MeasurementConformance, ProbeConformance
from ablate.testing.networks import IMAGE, SIZES, all_logits, images, make_parts, network_config, stream, untrained
from ablate.testing.norm import NormConformance
from ablate.testing.parts import PartConformance
from ablate.testing.stem import StemConformance
from ablate.testing.tracker import TrackerConformance
from ablate.testing.training import OptimConformance, ScheduleConformance
from ablate.testing.units import SHAPES, BlockConformance, OrderConformance, ShortcutConformance

SUITES: dict[str, type[Conformance]] = {
    suite.kind: suite
    for suite in list(globals().values())
    if isinstance(suite, type) and issubclass(suite, Conformance) and "kind" in vars(suite)
}
"""The suite of each kind of plugin."""

__all__ = [
    "CHANNELS",
    "IMAGE",
    "SAMPLES",
    "SHAPES",
    "SIZES",
    "SUITES",
    "ActConformance",
    "AugmentConformance",
    "AuxConformance",
    "BackboneConformance",
    "BlockConformance",
    "CallbackConformance",
    "Conformance",
    "DataConformance",
    "EngineConformance",
    "EvaluationConformance",
    "FeedingConformance",
    "HeadConformance",
    "InitConformance",
    "LookingConformance",
    "MeasurementConformance",
    "NormConformance",
    "OptimConformance",
    "OrderConformance",
    "PartConformance",
    "ProbeConformance",
    "Recorder",
    "ScheduleConformance",
    "ShortcutConformance",
    "StemConformance",
    "TrackerConformance",
    "all_logits",
    "broken_job",
    "has_result",
    "images",
    "job_of",
    "make_parts",
    "network_config",
    "normalised",
    "stream",
    "untrained",
]
