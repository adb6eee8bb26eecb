"""Metrics of colorization.

`functional` holds the formulas on tensors, exported here; `registry.METRICS` is the table that the evaluator reports.
"""

from colorgan.metrics.functional import (
    ab_error,
    ab_histogram,
    accuracy,
    auc,
    ciede2000,
    colorfulness,
    colorfulness_ddcolor,
    histogram_distance,
    hits,
    lab_mae,
    psnr,
    rmse_ab,
    ssim,
)

__all__ = [
    "ab_error",
    "ab_histogram",
    "accuracy",
    "auc",
    "ciede2000",
    "colorfulness",
    "colorfulness_ddcolor",
    "histogram_distance",
    "hits",
    "lab_mae",
    "psnr",
    "rmse_ab",
    "ssim",
]
