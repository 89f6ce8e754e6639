"""The `study` section of a config: what its file says, what it changes at a scale, and what the user typed in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ablate.config.compose import compose_in_context
from ablate.config.kept import kept
from ablate.config.messages import as_input_error
from ablate.config.overrides import Typed
from ablate.config.schema import StudySchema
from ablate.config.values import environment_refused, refuse_values
from ablate.errors import unknown
from ablate.study.entries import entry_of, for_hydra

MADE_OF_OVERRIDES = ("arms", "leave_one_out", "add_one_in")  # parts of the section that make arms
VARYING = (*MADE_OF_OVERRIDES, "grid", "zip")


def as_filed(base: Mapping[str, Any], around: Sequence[Typed]) -> dict[str, Any]:
    """The section as its file has it at the scale chosen, without what the user typed in it.

    Args:
        base: `composed` with all of `around`.
        around: what the user typed around the comparison.

    Raises:
        InputError: it changes a claim that it does not have.
    """
    others = [o for o in around if not _is_of_section(o.key)]
    # Mostly nothing of the section is typed, and to compose once more would take a tenth of a second for the same.
    config = base if len(others) == len(around) else composed(for_hydra(others))
    return _at_scale(config["study"], config["scale"])


def composed(overrides: Sequence[str]) -> dict[str, Any]:
    """The plain config of these overrides; `${seed}` in a study's own overrides is left for each cell to resolve.

    Raises:
        InputError: it does not compose.
    """

    def compose() -> dict[str, Any]:
        config = compose_in_context(overrides)
        plain = container(config)
        # Resolved here, `${seed}` in an arm's override would be the base's seed in every cell.
        for part in (*MADE_OF_OVERRIDES, "scales"):
            plain["study"][part] = OmegaConf.to_container(config.study[part], resolve=False)
        return plain

    found: dict[str, Any] = kept("base", list(overrides), compose)
    return found


def with_typed(filed: Mapping[str, Any], base: Mapping[str, Any], typed: Sequence[Typed]) -> dict[str, Any]:
    """The section with what the user typed in it, which wins over what a scale changes, too.

    Args:
        filed: the section as `as_filed` gives it.
        base: the section composed with all that was typed: where the values are found.
        typed: what the user typed.
    """
    section = {**filed, **{part: dict(filed[part]) for part in VARYING}}
    for override in [o for o in typed if _is_of_section(o.key)]:
        for key in override.leaves:
            part, entry = key.removeprefix("study.").partition(".")[0], entry_of(key)
            # Only what varies has entries that can be typed one by one; any other part is taken as a whole.
            if entry is None:
                section[part] = {} if override.value == {} else base[part]
            elif entry.name in base[part] and not (override.deletes and entry.is_dotted):
                section[part][entry.name] = base[part][entry.name]
            else:
                section[part].pop(entry.name, None)
    return section


def varies(section: Mapping[str, Any]) -> bool:
    """Whether a study compares anything: it has arms, or factors that vary."""
    return any(section[part] for part in VARYING)


def name_of(section: Mapping[str, Any], typed: Sequence[Typed], *, is_open: bool) -> str:
    """The study's name; where it has none, that of its file, and never the one that all single cells share."""
    name = str(section["name"])
    if is_open or name != StudySchema.name:
        return name
    return next((str(o.value).rpartition("/")[2] for o in typed if o.key == "exp"), "unnamed")


def container(config: DictConfig) -> dict[str, Any]:
    """A config as plain dictionaries and values, with interpolations resolved.

    Raises:
        InputError: an interpolation names what does not exist or asks for the environment, or a value is one that no
            config may hold (`ablate.config.values`).
    """
    try:
        with environment_refused():
            found = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise as_input_error(error) from error
    assert isinstance(found, dict)
    plain = {str(key): value for key, value in found.items()}
    refuse_values(plain)
    return plain


def _is_of_section(key: str) -> bool:
    """Whether a typed key changes the section itself; what it says for a scale is read like the file."""
    return key == "study" or (key.startswith("study.") and not key.startswith("study.scales."))


def _at_scale(filed: Mapping[str, Any], scale: str) -> dict[str, Any]:
    """The section with its changes at a scale: grid, zip, exclusions, seeds, claims by id, further overrides."""
    changes = filed["scales"].get(scale) or {}
    section = {**filed, "overrides": changes.get("overrides", [])}
    section |= {key: changes[key] for key in ("grid", "zip", "exclude", "seeds") if changes.get(key) is not None}
    # Copies, since a scale changes fields in them: `filed` belongs to the caller.
    section["claims"] = [dict(claim) for claim in filed["claims"]]
    by_id = {claim["id"]: claim for claim in section["claims"]}
    for name, change in changes.get("claims", {}).items():
        if name not in by_id:
            raise unknown(f"claim in study.scales.{scale}.claims", name, by_id)
        by_id[name].update(change)
    return section
