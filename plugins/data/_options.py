"""Checks of options that data sets share."""

from ablate import InputError


def at_least(least: int, **options: int) -> None:
    """Refuse options of `data` that are too small.

    Raises:
        InputError: names the first of them.
    """
    for name, value in options.items():
        if value < least:
            raise InputError(f"data.{name}={value}: must be at least {least}")
