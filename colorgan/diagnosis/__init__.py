"""What a machine offers, and whether training works on it: the work of `colorgan doctor`."""
