"""The report of a study: from plain values to files and to the terminal."""

from ablate.report.terminal import terminal_table
from ablate.report.write import write_report

__all__ = ["terminal_table", "write_report"]
