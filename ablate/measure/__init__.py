"""Probes and measurements: what is looked at while a cell trains, and what on its trained network."""
