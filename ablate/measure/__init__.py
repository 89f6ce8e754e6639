"""Probes and measurements: what is asked for, looked at, measured and kept, besides the metrics of every cell."""
