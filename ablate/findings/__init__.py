"""What all studies together found: runs them, and writes `RESULTS.md` with its picture."""

from ablate.findings.run import show_results

__all__ = ["show_results"]
