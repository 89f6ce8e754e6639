"""What a config key or a kind of plugin is for: the words that their declarations use."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a choice belongs to.

    Attributes:
        NETWORK: what the network computes.
        TRAINING: how it starts, on what it is trained, and how.
        MEASURING: what is looked at, and when; nothing of what is trained.
        SURROUNDINGS: where and how cells are computed, and where they are kept.
    """

    NETWORK = "network"
    TRAINING = "training"
    MEASURING = "measuring"
    SURROUNDINGS = "surroundings"
