"""What any program needs of the machine: files, processes, signals, paths, named random streams."""
