"""Measurements of speed and memory: what `colorgan.bench` runs, records and compares."""
