"""colorgan: train, compare and use models that color gray photographs."""

from typing import Any

__version__ = "0.2.0"
__all__ = ["Colorizer", "Hint", "load"]


def __getattr__(name: str) -> Any:
    """Import these classes and functions at their first use: a command's --help should not wait for torch."""
    if name == "load":
        from colorgan.colorizer.checkpoint import load

        return load
    if name == "Colorizer":
        from colorgan.colorizer.colorizer import Colorizer

        return Colorizer
    if name == "Hint":
        from colorgan.colorizer.hints import Hint

        return Hint
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
