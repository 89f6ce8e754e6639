"""A network from a config: built, counted, described."""
