"""ablate: does this part of the network matter?

Public names load when first used, so that analysis and reports never wait for torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ablate.config.compose import compose as compose
    from ablate.errors import InputError as InputError
    from ablate.errors import unknown as unknown
    from ablate.interfaces.backbone import Aux as Aux
    from ablate.interfaces.backbone import Backbone as Backbone
    from ablate.interfaces.data import Augment as Augment
    from ablate.interfaces.data import DataSet as DataSet
    from ablate.interfaces.data import Evaluation as Evaluation
    from ablate.interfaces.data import Framing as Framing
    from ablate.interfaces.data import Samples as Samples
    from ablate.interfaces.data import Split as Split
    from ablate.interfaces.data import Splits as Splits
    from ablate.interfaces.data import Statistics as Statistics
    from ablate.interfaces.data import Window as Window
    from ablate.interfaces.parts import Block as Block
    from ablate.interfaces.parts import Head as Head
    from ablate.interfaces.parts import Init as Init
    from ablate.interfaces.parts import Order as Order
    from ablate.interfaces.parts import Parts as Parts
    from ablate.interfaces.parts import Shortcut as Shortcut
    from ablate.interfaces.parts import Stem as Stem
    from ablate.interfaces.parts import UnitShape as UnitShape
    from ablate.interfaces.parts import check_image_size as check_image_size
    from ablate.interfaces.run import Engine as Engine
    from ablate.interfaces.run import Job as Job
    from ablate.interfaces.run import Report as Report
    from ablate.interfaces.run import Slot as Slot
    from ablate.interfaces.training import Optim as Optim
    from ablate.interfaces.training import Schedule as Schedule
    from ablate.network.build import build_model as build_model
    from ablate.network.memory import free_gpu_memory as free_gpu_memory
    from ablate.network.memory import memory_of_cell as memory_of_cell
    from ablate.network.memory_format import pixel_mean as pixel_mean
    from ablate.network.memory_format import subsampled as subsampled
    from ablate.registry.registration import build as build
    from ablate.registry.registration import register as register
    from ablate.run.process import BUSY as BUSY
    from ablate.run.process import DONE as DONE
    from ablate.run.process import OUT_OF_MEMORY as OUT_OF_MEMORY
    from ablate.run.process import REFUSED as REFUSED
    from ablate.run.process import is_taken as is_taken
    from ablate.run.process import log_tail as log_tail
    from ablate.run.process import work as work
    from ablate.run.store import load_results as load_results
    from ablate.system.files import atomic as atomic
    from ablate.system.files import make_folder as make_folder
    from ablate.system.processes import cores as cores
    from ablate.system.processes import preloaded_context as preloaded_context

_HOMES = {
    "ablate.config.compose": ["compose"],
    "ablate.errors": ["InputError", "unknown"],
    "ablate.interfaces.backbone": ["Aux", "Backbone"],
    "ablate.system.files": ["atomic", "make_folder"],
    "ablate.interfaces.data": [
        "Augment", "DataSet", "Evaluation", "Framing", "Samples", "Split", "Splits", "Statistics", "Window",
    ],
    "ablate.interfaces.run": ["Engine", "Job", "Report", "Slot"],
    "ablate.interfaces.training": ["Optim", "Schedule"],
    "ablate.interfaces.parts": [
        "Block", "Head", "Init", "Order", "Parts", "Shortcut", "Stem", "UnitShape", "check_image_size",
    ],
    "ablate.network.memory_format": ["pixel_mean", "subsampled"],
    "ablate.network.memory": ["free_gpu_memory", "memory_of_cell"],
    "ablate.network.build": ["build_model"],
    "ablate.system.processes": ["cores", "preloaded_context"],
    "ablate.registry.registration": ["build", "register"],
    "ablate.run.store": ["load_results"],
    "ablate.run.process": ["BUSY", "DONE", "OUT_OF_MEMORY", "REFUSED", "is_taken", "log_tail", "work"],
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME)  # noqa: PLE0605 - computed once from the table above


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ablate' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
