"""Options that plugins got after cells had been stored: what every cell had before leaves its ID as it was."""

from __future__ import annotations

from typing import Any

import pytest

from ablate import registry
from ablate.config.compose import prepare
from ablate.config.contents import Contents
from ablate.config.identity import cell_id
from tests.cells import planned

prepare()

# Of those that have a type of their own: another value than the one before.
OTHER: dict[tuple[str, str], Any] = {
    ("order", "between"): "nothing",
    ("order", "stem"): "act",
    ("block", "bias"): "all",
    ("backbone", "units"): [1, 1, 1],
    ("backbone", "drop_path"): 0.2,
    ("backbone", "drop_path_rule"): "inverted",
    ("backbone", "drop_path_per"): "image",
}
LATER = [
    (entry.kind, entry.name, option)
    for entry in registry.entries()
    if registry.KINDS[entry.kind].makes_network or entry.kind == "init"
    for option in entry.before
]


@pytest.mark.parametrize(("kind", "name", "option"), LATER)
def test_a_cell_from_before_an_option_keeps_its_id(kind: str, name: str, option: str) -> None:
    entry = registry.lookup(kind, name)
    node = {"name": name, **{one.name: one.default for one in entry.parameters}}
    before = {key: value for key, value in node.items() if key not in entry.before}
    value = entry.before[option]
    other = OTHER.get((kind, option), not value if isinstance(value, bool) else 1)
    assert node[option] == value, "its default is what every cell had"

    def identified(node: dict[str, Any]) -> str:
        return cell_id({**planned(), kind: node}, Contents(), ("backbone",))

    assert identified(node) == identified(before)
    assert identified({**node, option: other}) != identified(before)
