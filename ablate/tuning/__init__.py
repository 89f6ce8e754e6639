"""`trainer=auto`: how the steps of a study are computed, picked by measurement, once and alike for all of its arms."""

from ablate.tuning.settle import choose, with_choice

__all__ = ["choose", "with_choice"]
