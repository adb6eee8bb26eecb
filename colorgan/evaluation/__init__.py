"""Evaluation of colorizers: what is evaluated, on which pictures, and how results are reported."""
