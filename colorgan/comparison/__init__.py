"""Comparison of experiments under one budget."""
