"""Photographs: decoding and encoding files, pixels of any mode, and where outputs go."""
