"""`python -m ablate bench`: this machine's figures, each a ratio or a time taken in one run."""
