"""One cell: from its frozen config to its result."""
