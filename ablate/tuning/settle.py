"""What `trainer=auto` stands for: options of a study that are left to measurement."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate import registry
from ablate.config.identity import decisive
from ablate.errors import InputError
from ablate.interfaces.engine import Slot, build_engine, slots_of
from ablate.network.profile import profile
from ablate.system.processes import start_process
from ablate.system.waiting import Hangs, answer_of
from ablate.training.numerics import AUTO, KEYS, Numerics, check_numerics
from ablate.tuning.remembered import of_machine, of_study, remember

if TYPE_CHECKING:
    from ablate.tuning.candidates import Trial


Config = Mapping[str, Any]
IDLE_S = 600.0  # as of a cell, by default (`Engine.cell_timeout`)


def choose(configs: Sequence[Config], study_folder: Path, *, eager: bool = False) -> dict[str, Any]:
    """Values for each `auto` in the `trainer` of a study's cells, the same ones for all of them.

    They are those of the study's earlier runs; else what this machine has measured before for the same network; else
    what is measured now, for the costliest network of the study, on the device that its cells get.

    Args:
        configs: of the cells of one study.
        study_folder: where an earlier run of the study may have left its choice.
        eager: somebody looks into single steps, so that they must not be compiled.

    Returns:
        The options that were picked, and as `text` what that rests on; empty where nothing is left to measurement.

    Raises:
        InputError: the engine cannot say where cells run, the data is not there, or nothing runs.
    """
    wanted = [key for key in KEYS if any(config["trainer"][key] == AUTO for config in configs)]
    if not wanted:
        return {}
    # The options around `auto` are checked before seconds are spent on measuring.
    for config in configs:
        check_numerics({**config["trainer"], **_given(config), **_stand_ins(config)})
    known = of_study(study_folder, wanted)
    if known and not (eager and known.get("compile", "none") != "none"):
        return known
    return _measured(_costliest(configs), wanted, len(configs), eager=eager)


def with_choice(config: Config, choice: Mapping[str, Any]) -> dict[str, Any]:
    """A config with the choice in the place of each `auto`."""
    trainer = config["trainer"]
    return {**config, "trainer": {**trainer, **{key: choice[key] for key in KEYS if trainer[key] == AUTO}}}


def _measured(config: Config, wanted: Sequence[str], cells: int, *, eager: bool = False) -> dict[str, Any]:
    slots = slots_of(build_engine(config["engine"]), cells, int(config["trainer"]["threads"]))
    if not slots:
        raise InputError(
            f"trainer=auto measures where the cells run, and engine={config['engine']['name']} does not know that "
            f"beforehand; set {', '.join(f'trainer.{key}=...' for key in wanted)}"
        )
    # One stands for all: a study's cells are computed alike, even where its devices differ.
    slot = slots[0]
    fixed = {key: value for key, value in _given(config).items() if key not in wanted}
    fixed |= {"compile": "none"} if eager else {}
    asked = {"wanted": sorted(wanted), "config": decisive({**config, "seed": 0}), **({"eager": True} if eager else {})}
    known = of_machine(slot, asked)
    if known is None:
        known = _search(config, fixed, slot, wanted)
        remember(slot, asked, known)
    return known


def _search(config: Config, fixed: dict[str, Any], slot: Slot, wanted: Sequence[str]) -> dict[str, Any]:
    """Measure in a process of its own: no CUDA memory or compiler stays behind in the study's."""
    from ablate.tuning.trial import find

    arguments = (config, fixed, slot.device, int(config["trainer"]["threads"]), os.getcwd())
    process, here = start_process(find, *arguments, daemon=True)
    idle_s = float(config["engine"].get("cell_timeout") or IDLE_S)
    try:
        answer = answer_of(process, here, idle_s)
    except EOFError:
        raise InputError("trainer=auto: the process that measures ended early; set the options yourself") from None
    except Hangs:
        text = f"the process that measures hangs: it has used no processor time for {idle_s:g} s (engine.cell_timeout)"
        raise InputError(f"trainer=auto: {text}; a plugin waits for something, or set the options yourself") from None
    finally:
        process.kill()
        process.join()
    if isinstance(answer, str):
        raise InputError(answer)
    numerics, trials = answer
    return {**{key: numerics.to_dict()[key] for key in wanted}, "text": _in_words(numerics, trials, config, slot)}


def _in_words(numerics: Numerics, trials: Sequence[Trial], config: Mapping[str, Any], slot: Slot) -> str:
    network = f"{config['backbone']['name']}{'' if config.get('depth') is None else config['depth']}"
    threads = config["trainer"]["threads"]
    where = f"{slot.device}, {threads} thread{'s' if threads > 1 else ''}"
    figures = "; ".join(map(str, trials))
    return f"{numerics} (milliseconds a step of {network} on {where}: {figures})"


def _costliest(configs: Sequence[Config]) -> Config:
    """The config with the most multiply-adds in a step; each network is looked at once."""

    def cost(config: Config) -> int:
        return int(registry.build("data", config["data"]).batch_size) * profile(config).flops

    return max(configs, key=cost)


def _given(config: Config) -> dict[str, Any]:
    return {key: config["trainer"][key] for key in KEYS if config["trainer"][key] != AUTO}


def _stand_ins(config: Config) -> dict[str, Any]:
    """Values for what is not known yet, so that the options around it can be checked."""
    return {key: value for key, value in Numerics().to_dict().items() if config["trainer"][key] == AUTO}
