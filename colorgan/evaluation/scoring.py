"""All metrics of a batch that need no network."""

import torch
from torch import Tensor

from colorgan import metrics
from colorgan.codecs.neighbors import Neighbors
from colorgan.color import in_gamut_bins, split


class Seen:
    """A batch of pictures as the metrics want it: `rgb` in [0, 1] and `lab`, (B, 3, S, S) each."""

    def __init__(self, pictures: Tensor):
        self.rgb = pictures.float() / 255
        self.lab = torch.cat(split(self.rgb), dim=1)


class Weights:
    """The inverse frequency of each pixel's true color: ab (B, 2, S, S) -> (B, S, S).

    Args:
        prior: (313,) how often each in-gamut bin occurs.
    """

    def __init__(self, prior: Tensor):
        self.neighbors = Neighbors(in_gamut_bins(), 1)
        self.inverse = torch.where(prior > 0, 1 / prior, 0)

    def __call__(self, ab: Tensor) -> Tensor:
        """The weights of the pixels."""
        return self.inverse[self.neighbors(ab)[0][:, 0]]


def score(seen: Seen, truth: Seen, weight: Tensor) -> dict[str, Tensor]:
    """The metrics against the truth, (B,) each; `auc_rebalanced` is a sum still, weighted by `weight` (B, S, S)."""
    ab, true_ab = seen.lab[:, 1:], truth.lab[:, 1:]
    kept = metrics.auc(ab, true_ab)
    return {
        "psnr": metrics.psnr(seen.rgb, truth.rgb),
        "ssim": metrics.ssim(seen.rgb, truth.rgb),
        "ab_error": metrics.ab_error(ab, true_ab),
        "rmse_ab": metrics.rmse_ab(ab, true_ab),
        "ciede2000": metrics.ciede2000(seen.lab, truth.lab),
        "mae": metrics.lab_mae(seen.lab, truth.lab),
        "acc2": 100 * metrics.accuracy(seen.lab, truth.lab, 0.02),
        "acc5": 100 * metrics.accuracy(seen.lab, truth.lab, 0.05),
        "auc": 100 * kept.mean(dim=(1, 2)),
        "auc_rebalanced": 100 * (kept * weight).sum(dim=(1, 2)),
        **score_alone(seen.rgb),
    }


def score_alone(rgb: Tensor) -> dict[str, Tensor]:
    """The metrics that need no truth, of rgb (B, 3, S, S) in [0, 1], (B,) each."""
    return {"colorfulness": metrics.colorfulness(rgb), "colorfulness_ddcolor": metrics.colorfulness_ddcolor(rgb)}
