"""How the modules of two networks differ, in a few words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from torch import nn

MOST_TEXTS = 4
_NO_PARTS = (nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.Identity)  # they hold others, or do nothing

Signature = tuple[str, str]  # the type's name, and what distinguishes modules of that type


def module_changes(baseline: nn.Module, arm: nn.Module) -> list[str]:
    """What was changed, moved, added and removed, as texts such as "27 × PostUnit → PreUnit" or "+9 Conv2d (1×1)"."""
    before, after = _parts(baseline), _parts(arm)
    # By name: an order that only moves modules keeps the names of weight layers (`Order.unit`).
    changed = Counter((before[name], after[name]) for name in before if name in after and before[name] != after[name])
    gone = Counter(part for name, part in before.items() if name not in after)
    new = Counter(part for name, part in after.items() if name not in before)
    # One of the same type and settings under another name: neither new nor gone, as after a change of order.
    moved = gone & new
    texts = [*_changed(changed), *_counted(moved, "{n} × {what} moved")]
    texts += [*_counted(new - moved, "+{n} {what}"), *_counted(gone - moved, "−{n} {what}")]
    rest = len(texts) - MOST_TEXTS
    return [*texts[:MOST_TEXTS], f"{rest} more changes"] if rest > 1 else texts


def _parts(model: nn.Module) -> dict[str, Signature]:
    """The modules by name, without mere containers; shapes stand in the text that torch gives a layer."""
    return {
        name: (type(module).__name__, module.extra_repr())
        for name, module in model.named_modules()
        if name and not isinstance(module, _NO_PARTS)
    }


def _changed(changed: Counter[tuple[Signature, Signature]]) -> Iterator[str]:
    """Modules that kept their names: of another type, or of one type with other settings."""
    kinds: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for (old, new), count in changed.items():
        kinds.setdefault((old[0], new[0]), []).extend([(old[1], new[1])] * count)
    for (old_type, new_type), settings in kinds.items():
        if old_type != new_type:
            yield f"{len(settings)} × {old_type} → {new_type}"
        elif len(set(settings)) == 1:
            yield f"{len(settings)} × {old_type}({settings[0][0]}) → ({settings[0][1]})"
        else:
            yield f"{len(settings)} × {old_type} with other sizes or settings"


def _counted(parts: Counter[Signature], form: str) -> Iterator[str]:
    by_type: dict[str, Counter[str]] = {}
    for (type_, settings), count in parts.items():
        by_type.setdefault(type_, Counter())[_kernel(settings)] += count
    for type_, kernels in by_type.items():
        same = len(kernels) == 1 and next(iter(kernels))
        yield form.format(n=kernels.total(), what=f"{type_} ({same})" if same else type_)


def _kernel(settings: str) -> str:
    """The kernel of a convolution or pooling as "3×3", or empty."""
    _, found, rest = settings.partition("kernel_size=")
    sizes = rest.partition(")")[0].strip("(").split(", ") if found and rest.startswith("(") else []
    return "×".join(sizes)
