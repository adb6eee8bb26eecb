"""Experiments: their keys, and their resolution from defaults, a YAML file and the command line."""

from colorgan.config.resolving import construct, load, plain, resolve

__all__ = ["construct", "load", "plain", "resolve"]
