"""colorgan: train, compare and use models that color gray photographs."""

from colorgan.systems import Colorizer, load

__version__ = "0.1.0"
__all__ = ["Colorizer", "load"]
