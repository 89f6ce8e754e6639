"""From overrides to a checked config, and from a config to a cell's identity."""
