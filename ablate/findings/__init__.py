"""What all studies together found: runs them, and writes `RESULTS.md` with its picture."""

from ablate.findings.run import What, show_results

__all__ = ["What", "show_results"]
