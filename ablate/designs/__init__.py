"""Designs: how the `study` section becomes arms, points and cells. No other package expands anything."""

from ablate.designs.cells import Cell, Matches, expand, read_back
from ablate.designs.claims import Places, refuse_empty_selectors, refuse_lopsided_averages
from ablate.designs.points import Factors, check_exclusions
from ablate.designs.written import NO_ARM, arms_of

__all__ = [
    "NO_ARM",
    "Cell",
    "Factors",
    "Matches",
    "Places",
    "arms_of",
    "check_exclusions",
    "expand",
    "read_back",
    "refuse_empty_selectors",
    "refuse_lopsided_averages",
]
