"""The kinds of plugins, what the framework passes to each, and the groups of files beside them."""

from __future__ import annotations

KINDS: dict[str, str] = {
    "backbone": "the family of networks: how stages are laid out",
    "block": "the weight layers of a residual branch",
    "order": "where norm and activation stand around a unit's weight layers",
    "shortcut": "the path beside a residual branch, and how the two join",
    "stem": "the layers before the first stage",
    "head": "the classifier after the last stage",
    "aux": "auxiliary classifiers behind stages, trained beside the main one",
    "norm": "normalisation of feature maps",
    "act": "the non-linearity",
    "init": "initial values of the parameters",
    "data": "a data set and its split",
    "augment": "random changes to training images",
    "evaluation": "what of an image the network is shown when it is measured",
    "optim": "the optimiser",
    "schedule": "the learning rate over the steps of training",
    "engine": "where cells run",
}

# What the framework passes to a plugin by position; the kinds that are not here get nothing but their options.
PASSED: dict[str, tuple[str, ...]] = {
    "backbone": ("parts",),
    "block": ("parts",),
    "order": ("parts",),
    "shortcut": ("parts", "shape"),
    "stem": ("parts", "out_channels", "order"),
    "head": ("parts", "in_channels"),
    "aux": ("parts",),
    "norm": ("parts", "channels"),
    "act": ("parts",),
}

# Groups that are chosen by a name, too, and are files in place of plugins.
FILE_GROUPS = ("arch", "exp", "scale", "trainer")


def passed(kind: str) -> tuple[str, ...]:
    """What the framework passes to plugins of a kind by position."""
    return PASSED.get(kind, ())
