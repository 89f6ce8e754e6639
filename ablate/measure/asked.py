"""What a study asks of a cell besides its metrics, and what of that a finished cell lacks. No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate import registry
from ablate.config.code import plugin_fingerprint
from ablate.config.kept import kept
from ablate.errors import InputError, unknown
from ablate.registry.blame import blaming

if TYPE_CHECKING:
    from ablate.interfaces.measurement import Measurement
    from ablate.interfaces.probe import Probe

DECIDES_NUMBERS = False

WEIGHTS = "weights.safetensors"
PROBES, MEASUREMENTS = "probes", "measurements"  # keys of a config and of a result, and folders of a cell
KEEP_WEIGHTS = "weights"
KEPT = (KEEP_WEIGHTS,)  # what `study.keep` can name


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
        same_code: what other code of a probe or a measurement has given does not count (`rerun=stale`).
    """

    probes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    measurements: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    keep: tuple[str, ...] = ()
    same_code: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any], keep: Sequence[str] = ()) -> Asked:
        """Of a frozen config, which may be older than probes and measurements are."""
        probes, measurements = config.get(PROBES) or {}, config.get(MEASUREMENTS) or {}
        return cls(probes, measurements, tuple(keep), same_code=config.get("rerun") == "stale")

    def __bool__(self) -> bool:
        return bool(self.probes or self.measurements or self.keep)

    def alone(self) -> Asked:
        """Without the measurements that need the networks of other arms."""
        if not self.measurements:
            return self
        return replace(self, measurements={k: v for k, v in self.measurements.items() if not needs_others(k)})

    def lacking(self, folder: Path, result: Mapping[str, Any]) -> Lacking:
        """What a finished cell lacks of this.

        Args:
            folder: of the cell.
            result: what its `result.json` holds.
        """
        if not self:
            return Lacking()
        lacks = {
            key: tuple(name for name, node in nodes.items() if not _has(folder, result, key, node, self.same_code))
            for key, nodes in ((PROBES, self.probes), (MEASUREMENTS, self.measurements))
        }
        has_weights = (folder / WEIGHTS).is_file()
        return Lacking(**lacks, weights="weights" in self.keep and not has_weights, has_weights=has_weights)

    def by_other_code(self, result: Mapping[str, Any]) -> list[str]:
        """The probes and measurements of these that other code than today's has given a result."""
        return [
            name
            for kind, key, nodes in (("probe", PROBES, self.probes), ("measurement", MEASUREMENTS, self.measurements))
            for name in nodes
            if name in result.get(key, {}) and result[key][name]["code"] != plugin_fingerprint(kind, name)
        ]


def kept_parts(given: Any) -> tuple[str, ...]:
    """What `study.keep` names: one part, or a list of them.

    Raises:
        InputError: there is no such part.
    """
    names = [given] if isinstance(given, str) else list(given or [])
    for name in names:
        if name not in KEPT:
            raise unknown("part of a cell in study.keep", name, KEPT)
    return tuple(dict.fromkeys(names))


def needs_others(measurement: str) -> bool:
    """Whether a measurement asks for the networks of other arms."""
    entry = registry.lookup("measurement", measurement)
    return bool(kept("needs_others", measurement, lambda: bool(getattr(entry.factory, "needs_others", False))))


def with_earlier(config: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """A frozen config that also asks for the probes and measurements of an earlier result, as far as they exist."""
    found = dict(config)
    for kind, key in (("probe", PROBES), ("measurement", MEASUREMENTS)):
        known = {entry.name for entry in registry.entries(kind)}
        earlier = {
            name: {"name": name, **note["options"]} for name, note in result.get(key, {}).items() if name in known
        }
        if earlier:
            found[key] = {**earlier, **(config.get(key) or {})}
    return found


def note_of(kind: str, node: Mapping[str, Any], *, table: bool) -> dict[str, Any]:
    """What a result says of a probe or a measurement: how it was set, by which code, and whether it has a table."""
    return {"options": _options(node), "code": plugin_fingerprint(kind, str(node["name"])), "table": table}


def columns_of(config: Mapping[str, Any]) -> list[str]:
    """The columns of results that the probes and measurements of a config give.

    Raises:
        InputError: an option makes no sense, or one is neither.
    """
    return [
        f"{name}/{column}"
        for kind, key in (("probe", PROBES), ("measurement", MEASUREMENTS))
        for name, node in (config.get(key) or {}).items()
        for column in kept("columns", [kind, node], partial(_columns, kind, key, node))
    ]


def check_looking_on(config: Mapping[str, Any]) -> None:
    """Refuse probes that cannot look at how steps are computed, and what is neither a probe nor a measurement.

    Raises:
        InputError: there is one.
    """
    for kind, key in (("probe", PROBES), ("measurement", MEASUREMENTS)):
        for name, node in (config.get(key) or {}).items():
            plugin = _built(kind, key, node)
            if getattr(plugin, "reads_forward", False) and config["trainer"]["compile"] == "inductor":
                raise InputError(
                    f"probe '{name}' looks into the forward pass, and trainer.compile=inductor rewrites it: "
                    f"set trainer.compile=none or cudagraphs"
                )


def _columns(kind: str, key: str, node: Mapping[str, Any]) -> list[str]:
    return list(_built(kind, key, node).columns)


def _built(kind: str, key: str, node: Mapping[str, Any]) -> Probe | Measurement:
    """A probe or a measurement; torch is imported by now at the latest."""
    from ablate.measure.build import build_measurement, build_probe

    with blaming({key: {node["name"]: node}}, f"building {kind} {node['name']}"):
        return build_probe(node) if kind == "probe" else build_measurement(node)


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
