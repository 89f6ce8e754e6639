from __future__ import annotations

from tests.workshops import run, workshop

__all__ = ["run", "workshop"]  # fixtures
