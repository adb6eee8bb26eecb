"""Photographs to train on: datasets, their cache, augmentation and the data module."""
