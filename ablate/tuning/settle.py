"""From cells whose `trainer` has options left to measurement to cells that are frozen whole."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate import registry
from ablate.config.identity import cell_id, decisive
from ablate.errors import InputError
from ablate.interfaces.run import Engine, Slot
from ablate.system.processes import preloaded_context
from ablate.training.numerics import AUTO, KEYS, Numerics, check_numerics
from ablate.tuning.remembered import of_machine, of_study, remember

if TYPE_CHECKING:
    from ablate.study.plan import Cell
    from ablate.tuning.candidates import Trial


def settled(cells: Sequence[Cell], study_folder: Path) -> tuple[list[Cell], dict[str, Any]]:
    """Put values in the place of each `auto` in the cells' `trainer`, the same ones in all cells.

    They are those of the study's earlier runs; else what this machine has measured before for the same network; else
    what is measured now, for the costliest network of the study, on the device that its cells get.

    Args:
        cells: of one study.
        study_folder: where an earlier run of the study may have left its choice.

    Returns:
        The cells, with their IDs, and the choice: the options that were picked, and what it rests on. Both are as they
        were, and the choice is empty, where nothing is left to measurement.

    Raises:
        InputError: the engine cannot say where cells run, the data is not there, or nothing runs.
    """
    wanted = [key for key in KEYS if any(cell.config["trainer"][key] == AUTO for cell in cells)]
    if not wanted:
        return list(cells), {}
    for cell in cells:
        check_numerics({**cell.config["trainer"], **_given(cell.config), **_stand_ins(cell.config)})
    choice = of_study(study_folder, wanted) or _measured(_costliest(cells), wanted, len(cells))
    return [_with(cell, choice) for cell in cells], choice


def _measured(cell: Cell, wanted: Sequence[str], cells: int) -> dict[str, Any]:
    engine: Engine = registry.build("engine", cell.config["engine"])
    slots = engine.slots(cells)
    if not slots:
        raise InputError(
            f"trainer=auto measures where the cells run, and engine={cell.config['engine']['name']} does not know that "
            f"beforehand; set {', '.join(f'trainer.{key}=...' for key in wanted)}"
        )
    slot = slots[0]
    fixed = {key: value for key, value in _given(cell.config).items() if key not in wanted}
    asked = {"wanted": sorted(wanted), "config": decisive({**cell.config, "seed": 0})}
    known = of_machine(slot, asked)
    if known is None:
        known = _search(cell.config, fixed, slot, wanted)
        remember(slot, asked, known)
    return known


def _search(config: dict[str, Any], fixed: dict[str, Any], slot: Slot, wanted: Sequence[str]) -> dict[str, Any]:
    """Measure in a process of its own: no CUDA memory or compiler stays behind in the study's."""
    context = preloaded_context()
    here, there = context.Pipe(duplex=False)
    from ablate.tuning.trial import find

    arguments = (config, fixed, slot.device, slot.threads, os.getcwd(), there)
    process = context.Process(target=find, args=arguments, daemon=True)  # type: ignore[attr-defined]
    process.start()
    there.close()
    try:
        answer = here.recv()
    except EOFError:
        raise InputError("trainer=auto: the process that measures ended early; set the options yourself") from None
    finally:
        process.terminate()
        process.join()
    if isinstance(answer, str):
        raise InputError(answer)
    numerics, trials = answer
    return {**{key: numerics.to_dict()[key] for key in wanted}, "text": _in_words(numerics, trials, config, slot)}


def _in_words(numerics: Numerics, trials: Sequence[Trial], config: Mapping[str, Any], slot: Slot) -> str:
    network = f"{config['backbone']['name']}{'' if config.get('depth') is None else config['depth']}"
    where = f"{slot.device}, {slot.threads} thread{'s' if slot.threads > 1 else ''}"
    figures = "; ".join(f"{one.numerics} {one.reason or f'{one.step * 1000:.3g}'}" for one in trials)
    return f"{numerics} (milliseconds a step of {network} on {where}: {figures})"


def _costliest(cells: Sequence[Cell]) -> Cell:
    """The cell with the most multiply-adds in a step; each network is looked at once."""
    import torch

    from ablate.network.build import build_model, count_flops

    known: dict[str, int] = {}

    def cost(cell: Cell) -> int:
        key = json.dumps(decisive({**cell.config, "seed": 0}), sort_keys=True, default=str)
        if key not in known:
            data = registry.build("data", cell.config["data"])
            with torch.device("meta"):
                model = build_model(cell.config, data)
            known[key] = data.batch_size * count_flops(model, (1, data.channels, *data.size))
        return known[key]

    return max(cells, key=cost)


def _given(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: config["trainer"][key] for key in KEYS if config["trainer"][key] != AUTO}


def _stand_ins(config: Mapping[str, Any]) -> dict[str, Any]:
    """Values for what is not known yet, so that the options around it can be checked."""
    return {key: value for key, value in Numerics().to_dict().items() if config["trainer"][key] == AUTO}


def _with(cell: Cell, choice: Mapping[str, Any]) -> Cell:
    trainer = cell.config["trainer"]
    config = {**cell.config, "trainer": {**trainer, **{k: choice[k] for k in KEYS if trainer[k] == AUTO}}}
    return replace(cell, config=config, id=cell_id(config))
