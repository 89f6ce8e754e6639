from __future__ import annotations

import os

# One thread a process: the tests run side by side, and more threads than cores only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
