"""Every built-in part of a network, augmentation and evaluation keeps the contract of its kind."""

from __future__ import annotations

from typing import Any

from ablate import registry, testing, testing_data
from ablate.config.compose import prepare

SUITES = {
    "backbone": testing.BackboneConformance,
    "aux": testing.AuxConformance,
    "block": testing.BlockConformance,
    "shortcut": testing.ShortcutConformance,
    "order": testing.OrderConformance,
    "augment": testing_data.AugmentConformance,
    "evaluation": testing_data.EvaluationConformance,
}
OPTIONS = {"chain": {"steps": ["crop_flip", "color_pca", "resized_crop"]}}
CHANGES = {"vgg": {"depth": 11}}


def suites() -> dict[str, type]:
    prepare()
    found: dict[str, type] = {}
    for kind, suite in SUITES.items():
        for entry in registry.entries(kind):
            if (kind, entry.name) == ("aux", "none"):
                continue  # it is no classifier
            members: dict[str, Any] = {"name": entry.name, "__module__": __name__}
            if entry.name in OPTIONS:
                members["options"] = OPTIONS[entry.name]
            if entry.name in CHANGES:
                members["changes"] = CHANGES[entry.name]
            found[f"Test_{kind}_{entry.name}"] = type(f"Test_{kind}_{entry.name}", (suite,), members)
    return found


globals().update(suites())
