"""ablate: does this part of the network matter?

Public names load when first used, so that analysis and reports never wait for torch.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
DECIDES_NUMBERS = False  # of a cell: see ablate/config/code.py

if TYPE_CHECKING:
    from ablate.config.compose import compose as compose
    from ablate.errors import InputError as InputError
    from ablate.errors import unknown as unknown
    from ablate.interfaces.backbone import Aux as Aux
    from ablate.interfaces.backbone import Backbone as Backbone
    from ablate.interfaces.branch_end import ends_branch as ends_branch
    from ablate.interfaces.branch_end import mark_branch_end as mark_branch_end
    from ablate.interfaces.chart import Chart as Chart
    from ablate.interfaces.data import Augment as Augment
    from ablate.interfaces.data import DataSet as DataSet
    from ablate.interfaces.data import Evaluation as Evaluation
    from ablate.interfaces.data import Framing as Framing
    from ablate.interfaces.data import Samples as Samples
    from ablate.interfaces.data import Split as Split
    from ablate.interfaces.data import Splits as Splits
    from ablate.interfaces.data import Statistics as Statistics
    from ablate.interfaces.data import Window as Window
    from ablate.interfaces.engine import Attempt as Attempt
    from ablate.interfaces.engine import Engine as Engine
    from ablate.interfaces.engine import Job as Job
    from ablate.interfaces.engine import Listener as Listener
    from ablate.interfaces.engine import Slot as Slot
    from ablate.interfaces.layers import Hooks as Hooks
    from ablate.interfaces.layers import Layer as Layer
    from ablate.interfaces.layers import Unit as Unit
    from ablate.interfaces.layers import UnitPass as UnitPass
    from ablate.interfaces.layers import norms_of as norms_of
    from ablate.interfaces.layers import residual_units as residual_units
    from ablate.interfaces.layers import watch_outputs as watch_outputs
    from ablate.interfaces.layers import watch_units as watch_units
    from ablate.interfaces.layers import weight_layers as weight_layers
    from ablate.interfaces.layers import without_branches as without_branches
    from ablate.interfaces.measurement import Measured as Measured
    from ablate.interfaces.measurement import Measurement as Measurement
    from ablate.interfaces.measurement import Trained as Trained
    from ablate.interfaces.parts import Block as Block
    from ablate.interfaces.parts import Head as Head
    from ablate.interfaces.parts import Init as Init
    from ablate.interfaces.parts import Order as Order
    from ablate.interfaces.parts import Parts as Parts
    from ablate.interfaces.parts import Shortcut as Shortcut
    from ablate.interfaces.parts import Stem as Stem
    from ablate.interfaces.parts import UnitShape as UnitShape
    from ablate.interfaces.parts import check_image_size as check_image_size
    from ablate.interfaces.probe import Course as Course
    from ablate.interfaces.probe import EpochLook as EpochLook
    from ablate.interfaces.probe import Probe as Probe
    from ablate.interfaces.probe import StepLook as StepLook
    from ablate.interfaces.tracker import FollowedCell as FollowedCell
    from ablate.interfaces.tracker import FollowedStudy as FollowedStudy
    from ablate.interfaces.tracker import Tracker as Tracker
    from ablate.interfaces.training import Optim as Optim
    from ablate.interfaces.training import Schedule as Schedule
    from ablate.network.checked import build_model as build_model
    from ablate.network.memory import free_gpu_memory as free_gpu_memory
    from ablate.network.memory import training_memory_of as training_memory_of
    from ablate.network.memory_format import pixel_mean as pixel_mean
    from ablate.network.memory_format import subsampled as subsampled
    from ablate.registry.registration import build as build
    from ablate.registry.registration import register as register
    from ablate.run.keeping import KILL_NOW as KILL_NOW
    from ablate.run.process import attempt as attempt
    from ablate.run.process import work as work
    from ablate.run.results import load_results as load_results
    from ablate.system.files import atomic as atomic
    from ablate.system.files import make_folder as make_folder
    from ablate.system.locks import locked as locked
    from ablate.system.processes import preloaded_context as preloaded_context
    from ablate.system.processes import start_process as start_process
    from ablate.system.quotas import cores as cores

_HOMES = {
    "ablate.config.compose": ["compose"],
    "ablate.errors": ["InputError", "unknown"],
    "ablate.interfaces.backbone": ["Aux", "Backbone"],
    "ablate.interfaces.branch_end": ["ends_branch", "mark_branch_end"],
    "ablate.interfaces.chart": ["Chart"],
    "ablate.system.files": ["atomic", "make_folder"],
    "ablate.system.locks": ["locked"],
    "ablate.interfaces.data": [
        "Augment", "DataSet", "Evaluation", "Framing", "Samples", "Split", "Splits", "Statistics", "Window",
    ],
    "ablate.interfaces.engine": ["Attempt", "Engine", "Job", "Listener", "Slot"],
    "ablate.interfaces.layers": [
        "Hooks", "Layer", "Unit", "UnitPass", "norms_of", "residual_units", "watch_outputs", "watch_units",
        "weight_layers", "without_branches",
    ],
    "ablate.interfaces.measurement": ["Measured", "Measurement", "Trained"],
    "ablate.interfaces.probe": ["Course", "EpochLook", "Probe", "StepLook"],
    "ablate.interfaces.tracker": ["FollowedCell", "FollowedStudy", "Tracker"],
    "ablate.interfaces.training": ["Optim", "Schedule"],
    "ablate.interfaces.parts": [
        "Block", "Head", "Init", "Order", "Parts", "Shortcut", "Stem", "UnitShape", "check_image_size",
    ],
    "ablate.network.memory_format": ["pixel_mean", "subsampled"],
    "ablate.network.memory": ["free_gpu_memory", "training_memory_of"],
    "ablate.network.checked": ["build_model"],
    "ablate.system.processes": ["preloaded_context", "start_process"],
    "ablate.system.quotas": ["cores"],
    "ablate.registry.registration": ["build", "register"],
    "ablate.run.keeping": ["KILL_NOW"],
    "ablate.run.results": ["load_results"],
    "ablate.run.process": ["attempt", "work"],
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME)  # noqa: PLE0605 - computed once from the table above


def home_of(name: str) -> str | None:
    """The module that a public name comes from; None where there is no such name."""
    return _HOME.get(name)


_RENAMED = {"Report": "Listener", "memory_of_cell": "training_memory_of"}  # what 0.1 called them


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        warnings.warn(f"ablate.{name} is called ablate.{_RENAMED[name]} now", DeprecationWarning, stacklevel=2)
        name = _RENAMED[name]
    if name not in _HOME:
        raise AttributeError(f"module 'ablate' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
