"""Training runs: the Trainer, its callbacks, run directories and curves."""
