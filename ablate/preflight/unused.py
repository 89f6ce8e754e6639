"""Typed choices that no network of the study uses: refused, since they would silently do nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from omegaconf import OmegaConf

from ablate.config.compose import compose
from ablate.config.overrides import Typed, parse
from ablate.config.roles import is_comparable, network_keys
from ablate.errors import InputError
from ablate.network.profile import profile
from ablate.registry.kinds import kind_of_key
from ablate.study.plan import Study


def refuse_unused(study: Study) -> None:
    """Refuse a typed choice that has no effect on any cell of a study.

    What presets, scales and arms set is not looked at: certificates say what an arm changes.

    Raises:
        InputError: a part, an option of it or a size that no network of the study asks for, or the shape of the images,
            which the data set decides.
    """
    typed = [override for override in parse(study.typed) if not override.deletes]
    for override in typed:
        if _top(override) == "image":
            data = study.cells[0].config["data"]["name"]
            raise InputError(
                f"{override.text} has no effect: data={data} decides the shape of the images; "
                f"leave it out, or see the network with `describe`"
            )
    wanted = {_top(override) for override in typed} & set(network_keys())
    places = {(cell.arm, cell.point): cell.config for cell in study.cells}
    used: set[str] = set()
    for config in places.values():
        # A grid may have hundreds of networks to build, and most often the first one uses all that was typed.
        if wanted <= used:
            return
        used |= set(profile(config).uses)
    refuse_unasked(typed, used, dict.fromkeys(config["backbone"]["name"] for config in places.values()))


def refuse_unasked(typed: Sequence[Typed], used: Collection[str], backbones: Collection[str]) -> None:
    """Refuse a typed part or size that these networks do not ask for.

    Args:
        typed: what the user typed.
        used: kinds of parts, and `depth` and `width`, that some network asks for.
        backbones: of these networks.

    Raises:
        InputError: there is one.
    """
    for override in typed:
        top = _top(override)
        if top in network_keys() and top not in used and not override.deletes and not _is_interpolated(top, typed):
            family = f"backbone {' or '.join(backbones)}"
            lacks = f"uses no {top}" if kind_of_key(top) else f"has no {top} to choose"
            parts = ", ".join(kind for kind in network_keys() if kind in used)
            raise InputError(f"{override.text} has no effect: {family} {lacks}; what it asks for: {parts}")


def _top(override: Typed) -> str:
    return re.split(r"[./@]", override.key)[0]


def _is_interpolated(key: str, typed: Sequence[Typed]) -> bool:
    """Whether another value is computed from this one, here or in the study's file, as in `trainer.epochs=${depth}`."""
    config = compose([override.text for override in typed if not is_comparable(override.key)])
    texts = [OmegaConf.to_yaml(config), *(override.text for override in typed)]
    return any(re.search(rf"\$\{{([^}}]*\W)?{key}\b", text) for text in texts)
