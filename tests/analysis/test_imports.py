"""Analysis reads tables: it must not wait for torch, and knows no config machinery."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_analysis_imports_neither_torch_nor_hydra_nor_a_plugin():
    code = "import sys, ablate.analysis as a; [getattr(a, n) for n in a.__all__]; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    unwanted = ("torch", "pytorch_lightning", "lightning", "hydra", "wandb", "ablate.plugins")
    assert "ablate.analysis.verdict" in loaded
    assert [name for name in loaded if name.startswith(unwanted)] == []
