"""What the tests of the results page share: the arguments that it is made of."""

import numpy as np
import torch

from colorgan.evaluation.gallery import GalleryRow
from colorgan.metrics.registry import METRICS

NASTY = "</script><img src=x onerror=\"alert('ü')\">"
SYSTEMS = ("gray", "mean color", "plain", NASTY)
WHOLE = ("fid", "kid", "fid_classifier", "kid_classifier", "auc_rebalanced", "colorfulness_difference")  # of all only
WHY = "No <b>weights</b> here."
SIZE = 16
COUNT = 6
PSNR = {"gray": 20.0, "mean color": 21.0, "plain": 23.0, NASTY: 25.0}
STEPS = np.array([3.0, 1.0, 2.0, 6.0, 5.0, 4.0]) - 3.5  # of the pictures' psnr from their mean


def make_arguments():
    """Those of write_page but the path: six pictures, two systems, one metric without a value."""
    generator = np.random.default_rng(0)
    metrics = [metric for metric in METRICS if metric not in WHOLE and metric != "lpips"]
    scores = {name: {metric: generator.uniform(1, 9, COUNT) for metric in metrics} for name in SYSTEMS}
    scores["truth"] = {"colorfulness": generator.uniform(1, 9, COUNT)}
    for name in SYSTEMS:
        scores[name]["psnr"] = PSNR[name] + STEPS
    systems = {name: {metric: value(scores[name][metric].mean()) for metric in metrics} for name in SYSTEMS}
    for name in SYSTEMS:
        systems[name] |= {metric: value(7.0) for metric in WHOLE} | {"lpips": value(None) | {"why": WHY}}
    truth = {metric: value(5.0) for metric in ("colorfulness", "colorfulness_ddcolor", "top1")}
    data = {"root": NASTY, "pictures": COUNT, "size": SIZE}
    results = {"data": data, "systems": systems, "truth": truth, "notes": [NASTY]}
    colors = {name: 50 * i for i, name in enumerate((*SYSTEMS, "truth"))}
    pictures = {name: torch.full((3, SIZE, SIZE), color, dtype=torch.uint8) for name, color in colors.items()}
    names = [f"sea/{i}.png" for i in range(COUNT - 1)] + [NASTY + "\udcff"]  # a byte that is not UTF-8
    return {
        "results": results,
        "names": names,
        "scores": scores,
        "gallery": [GalleryRow(i, pictures) for i in range(COUNT)],
    }


def value(mean):
    return {"mean": mean, "low": mean and mean - 1, "high": mean and mean + 1}
