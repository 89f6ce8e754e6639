"""What a study asks of a cell besides its metrics, and what of that a finished cell lacks. No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ablate import registry
from ablate.config.code import plugin_fingerprint

if TYPE_CHECKING:
    from ablate.interfaces.measurement import Measurement
    from ablate.interfaces.probe import Probe

DECIDES_NUMBERS = False

WEIGHTS = "weights.safetensors"
PROBES, MEASUREMENTS = "probes", "measurements"  # keys of a config and of a result, and folders of a cell
KEPT = ("weights",)  # what `study.keep` can name


@dataclass(frozen=True)
class Lacking:
    """What a finished cell lacks of what is asked for.

    Attributes:
        probes: that did not look on while it was trained.
        measurements: that were not taken.
        weights: they were not kept, and are to be.
        has_weights: they were kept, so that measurements can be taken.
    """

    probes: tuple[str, ...] = ()
    measurements: tuple[str, ...] = ()
    weights: bool = False
    has_weights: bool = False

    def __bool__(self) -> bool:
        return bool(self.probes or self.measurements or self.weights)

    @property
    def needs_training(self) -> bool:
        """Whether it can only be had by training the cell again."""
        return bool(self.probes or self.weights or (self.measurements and not self.has_weights))

    def __str__(self) -> str:
        """In words, such as "no probe gradient_norm"."""
        parts = [f"no probe {name}" for name in self.probes]
        parts += [f"no measurement {name}" for name in self.measurements]
        if self.weights or (self.measurements and not self.has_weights):
            parts.append("no weights kept")
        return ", ".join(parts)


@dataclass(frozen=True)
class Asked:
    """What is asked of a cell besides its metrics.

    Attributes:
        probes: name -> config node.
        measurements: name -> config node.
        keep: parts of it that stay, of `KEPT`.
    """

    probes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    measurements: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    keep: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Mapping[str, Any], keep: Sequence[str] = ()) -> Asked:
        """Of a frozen config, which may be older than probes and measurements are."""
        return cls(config.get(PROBES) or {}, config.get(MEASUREMENTS) or {}, tuple(keep))

    def __bool__(self) -> bool:
        return bool(self.probes or self.measurements or self.keep)

    def alone(self) -> Asked:
        """Without the measurements that need the networks of other arms."""
        if not self.measurements:
            return self
        return replace(self, measurements={k: v for k, v in self.measurements.items() if not needs_others(k)})

    def lacking(self, folder: Path, result: Mapping[str, Any], *, same_code: bool = False) -> Lacking:
        """What a finished cell lacks of this.

        Args:
            folder: of the cell.
            result: what its `result.json` holds.
            same_code: what other code of a probe or a measurement has given does not count.
        """
        if not self:
            return Lacking()
        probes = [name for name, node in self.probes.items() if not _has(folder, result, PROBES, node, same_code)]
        taken = MEASUREMENTS, self.measurements
        measurements = [name for name, node in taken[1].items() if not _has(folder, result, taken[0], node, same_code)]
        has_weights = (folder / WEIGHTS).is_file()
        return Lacking(tuple(probes), tuple(measurements), "weights" in self.keep and not has_weights, has_weights)


def needs_others(measurement: str) -> bool:
    """Whether a measurement asks for the networks of other arms."""
    return bool(getattr(registry.lookup("measurement", measurement).factory, "needs_others", False))


def note_of(kind: str, node: Mapping[str, Any], *, table: bool) -> dict[str, Any]:
    """What a result says of a probe or a measurement: how it was set, by which code, and whether it has a table."""
    return {"options": _options(node), "code": plugin_fingerprint(kind, str(node["name"])), "table": table}


def columns_of(config: Mapping[str, Any]) -> list[str]:
    """The columns of results that the probes and measurements of a config give.

    Raises:
        InputError: an option makes no sense.
    """
    found: list[str] = []
    for kind, key in (("probe", PROBES), ("measurement", MEASUREMENTS)):
        for name, node in (config.get(key) or {}).items():
            plugin = cast("Probe | Measurement", registry.build(kind, node))
            found += [f"{name}/{column}" for column in plugin.columns]
    return found


def _has(folder: Path, result: Mapping[str, Any], key: str, node: Mapping[str, Any], same_code: bool) -> bool:
    name = str(node["name"])
    note = (result.get(key) or {}).get(name)
    if note is None or note["options"] != _options(node):
        return False
    if note["table"] and not (folder / key / f"{name}.csv").is_file():
        return False
    kind = "probe" if key == PROBES else "measurement"
    return not same_code or note["code"] == plugin_fingerprint(kind, name)


def _options(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: str(value) if isinstance(value, Path) else value for key, value in node.items() if key != "name"}
