"""What the user typed and no network asks for: refused, since it would be lost without a word."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from omegaconf import OmegaConf

from ablate.config.compose import compose
from ablate.config.overrides import Typed, parse
from ablate.errors import InputError
from ablate.network.profile import NETWORK, inspect_network
from ablate.registry.kinds import KINDS
from ablate.study.conflicts import is_around
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
    wanted = {_top(override) for override in typed} & set(NETWORK)
    places = {(cell.arm, cell.point): cell.config for cell in study.cells}
    used: set[str] = set()
    for config in places.values():
        if wanted <= used:
            return
        used |= set(inspect_network(config).uses)
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
        if top in NETWORK and top not in used and not override.deletes and not _is_interpolated(top, typed):
            family = f"backbone {' or '.join(backbones)}"
            lacks = f"uses no {top}" if top in KINDS else f"has no {top} to choose"
            parts = ", ".join(kind for kind in NETWORK if kind in used)
            raise InputError(f"{override.text} has no effect: {family} {lacks}; what it asks for: {parts}")


def _top(override: Typed) -> str:
    return re.split(r"[./@]", override.key)[0]


def _is_interpolated(key: str, typed: Sequence[Typed]) -> bool:
    """Whether another value is computed from this one, here or in the study's file, as in `trainer.epochs=${depth}`."""
    config = compose([override.text for override in typed if is_around(override.key)])
    texts = [OmegaConf.to_yaml(config), *(override.text for override in typed)]
    return any(re.search(rf"\$\{{([^}}]*\W)?{key}\b", text) for text in texts)
