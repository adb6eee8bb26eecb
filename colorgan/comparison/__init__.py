"""Comparing experiments under one budget."""
