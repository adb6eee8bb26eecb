"""How good colored pictures are: what is judged, by which metrics, and how surely."""
