"""Photographs: decoding and encoding of files, pixels of any mode, and the names of output files."""
