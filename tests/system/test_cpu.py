"""What the system tells of a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.system.cpu import has_bf16_units


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 fma\n", False),
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 fma\n", True),
        ("processor\t: 0\nflags\t\t: fpu amx_bf16\n", True),
        ("processor\t: 0\nFeatures\t: fp asimd bf16 i8mm\n", True),
        ("processor\t: 0\nFeatures\t: fp asimd\n", False),
        ("processor\t: 0\n", None),
    ],
)
def test_units_for_bf16_are_told_by_the_systems_list(tmp_path: Path, text: str, has: bool | None) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert has_bf16_units(tmp_path / "cpuinfo") is has


def test_where_the_system_does_not_say_nothing_is_known(tmp_path: Path) -> None:
    assert has_bf16_units(tmp_path / "none") is None
