"""The colorization Turing test: can people tell a recolored photograph from the real one? (Zhang et al. 2016)."""
