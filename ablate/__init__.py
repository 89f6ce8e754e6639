"""ablate: does this part of the network matter?

Public names load when first used, so that analysis and reports never wait for torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ablate.config import compose as compose
    from ablate.errors import InputError as InputError
    from ablate.errors import unknown as unknown
    from ablate.files import atomic as atomic
    from ablate.files import make_folder as make_folder
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
    from ablate.interfaces.network import Block as Block
    from ablate.interfaces.network import Head as Head
    from ablate.interfaces.network import Init as Init
    from ablate.interfaces.network import Order as Order
    from ablate.interfaces.network import Parts as Parts
    from ablate.interfaces.network import Shortcut as Shortcut
    from ablate.interfaces.network import Stem as Stem
    from ablate.interfaces.network import UnitShape as UnitShape
    from ablate.interfaces.network import check_image_size as check_image_size
    from ablate.interfaces.run import Engine as Engine
    from ablate.interfaces.run import Job as Job
    from ablate.interfaces.run import Report as Report
    from ablate.interfaces.run import Slot as Slot
    from ablate.interfaces.training import Optim as Optim
    from ablate.interfaces.training import Schedule as Schedule
    from ablate.layout import pixel_mean as pixel_mean
    from ablate.layout import subsampled as subsampled
    from ablate.memory import free_gpu_memory as free_gpu_memory
    from ablate.memory import memory_of_cell as memory_of_cell
    from ablate.network import build_model as build_model
    from ablate.processes import cores as cores
    from ablate.processes import preloaded_context as preloaded_context
    from ablate.registry import build as build
    from ablate.registry import register as register
    from ablate.store import load_results as load_results
    from ablate.worker import BUSY as BUSY
    from ablate.worker import DONE as DONE
    from ablate.worker import OUT_OF_MEMORY as OUT_OF_MEMORY
    from ablate.worker import REFUSED as REFUSED
    from ablate.worker import is_taken as is_taken
    from ablate.worker import log_tail as log_tail
    from ablate.worker import work as work

_HOMES = {
    "ablate.config": ["compose"],
    "ablate.errors": ["InputError", "unknown"],
    "ablate.interfaces.backbone": ["Aux", "Backbone"],
    "ablate.files": ["atomic", "make_folder"],
    "ablate.interfaces.data": [
        "Augment", "DataSet", "Evaluation", "Framing", "Samples", "Split", "Splits", "Statistics", "Window",
    ],
    "ablate.interfaces.run": ["Engine", "Job", "Report", "Slot"],
    "ablate.interfaces.training": ["Optim", "Schedule"],
    "ablate.interfaces.network": [
        "Block", "Head", "Init", "Order", "Parts", "Shortcut", "Stem", "UnitShape", "check_image_size",
    ],
    "ablate.layout": ["pixel_mean", "subsampled"],
    "ablate.memory": ["free_gpu_memory", "memory_of_cell"],
    "ablate.network": ["build_model"],
    "ablate.processes": ["cores", "preloaded_context"],
    "ablate.registry": ["build", "register"],
    "ablate.store": ["load_results"],
    "ablate.worker": ["BUSY", "DONE", "OUT_OF_MEMORY", "REFUSED", "is_taken", "log_tail", "work"],
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME)  # noqa: PLE0605 - computed once from the table above


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ablate' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
