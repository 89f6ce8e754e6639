"""No auxiliary classifiers."""

from ablate import Parts, register


@register("aux", "none")
def none(parts: Parts) -> None:
    """The main classifier alone."""
