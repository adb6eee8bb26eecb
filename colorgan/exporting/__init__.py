"""Trained colorizers as files for other programs."""
