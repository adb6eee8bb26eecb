"""Training runs: the Trainer, its callbacks, run directories, metrics.csv and curves."""
