"""Checks that augmentations share."""

from ablate import InputError


def check_range(low_name: str, low: float, high_name: str, high: float, least: float) -> None:
    """Refuse a range whose ends are in the wrong order, or that goes below `least`.

    Raises:
        InputError: says which option is wrong.
    """
    if low < least:
        raise InputError(f"augment.{low_name}={low:g}: must be at least {least:g}")
    if high < low:
        raise InputError(f"augment.{high_name}={high:g}: must be at least augment.{low_name}, which is {low:g}")
