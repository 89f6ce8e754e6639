"""Training of one cell: the Lightning module, the data on the device, checkpoints."""
