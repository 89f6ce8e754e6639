"""A process with all that it has started: found, counted, ended."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ablate.system.process_tree import descendants, is_visible, used_by

pytestmark = pytest.mark.skipif(not is_visible(), reason="looks for processes in /proc")

# A process that starts one that starts the next and ends, so that the last has no parent of its own any more.
ORPHANS = """
import os, subprocess, sys, time
from ablate.system.process_tree import adopt_orphans, descendants, kill_descendants
adopt_orphans()
subprocess.run(["sh", "-c", "sleep 600 & exec >/dev/null; setsid sleep 600 & exit"], check=True)
subprocess.Popen(["sleep", "600"])
print(len(descendants(os.getpid())))
kill_descendants()
print(descendants(os.getpid()))
"""


def test_orphans_are_found_and_ended_too() -> None:
    done = subprocess.run([sys.executable, "-c", ORPHANS], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["3", "[]"]


def test_what_a_tree_uses_is_counted_with_what_it_has_waited_for() -> None:
    busy = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}]); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        tree = descendants(os.getpid())
        assert process.pid in tree
        used = used_by([process.pid])
        process.stdin.close()
    assert 0.4 < used.seconds < 10
    assert used.bytes > 1000, "Python reads its own files"
    assert used_by([process.pid]).seconds == 0, "it has gone"
