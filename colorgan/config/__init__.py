"""Experiments: what can be set, and how defaults, a YAML file and the command line become one configuration."""

from colorgan.config.resolving import construct, load, plain, resolve

__all__ = ["construct", "load", "plain", "resolve"]
