"""The model that colors, and reading it from checkpoints."""
