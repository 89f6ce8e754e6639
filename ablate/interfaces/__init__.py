"""What a plugin of each kind is: the abstract bases that `ablate` builds against."""
