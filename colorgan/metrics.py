"""Metrics of colorization: one value a picture. What torchmetrics and scikit-image have is theirs."""

import torch
from skimage.color import deltaE_ciede2000
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

FARTHEST = 150  # Lab units: the last threshold of AuC
LAB_RANGES = (100.0, 220.0, 220.0)  # of L, a and b, as pixel accuracy counts them
BEST_PSNR = 100.0  # dB, where two pictures agree everywhere


def psnr(rgb: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio, (B, 3, H, W) each in [0, 1] -> (B,) in decibels, at most 100."""
    return peak_signal_noise_ratio(rgb, truth, data_range=1.0, dim=(1, 2, 3), reduction="none").clamp(max=BEST_PSNR)


def ssim(rgb: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004), (B, 3, H, W) each in [0, 1], sides of 11 and up -> (B,) in [-1, 1].

    The mean over the windows that lie inside the picture, as its authors and scikit-image have it.
    """
    _, full = structural_similarity_index_measure(rgb, truth, data_range=1.0, reduction="none", return_full_image=True)
    return full[..., 5:-5, 5:-5].mean(dim=(1, 2, 3)).round(decimals=6)  # float32 knows no more, and 1 shall be 1


def ab_error(ab: Tensor, truth: Tensor) -> Tensor:
    """Mean Euclidean distance of the colors, (B, 2, H, W) each in Lab units -> (B,) in Lab units."""
    return _distance(ab, truth).mean(dim=(1, 2))


def rmse_ab(ab: Tensor, truth: Tensor) -> Tensor:
    """Root of the mean squared error over pixels and channels, (B, 2, H, W) each in Lab units -> (B,) in Lab units."""
    return (ab - truth).square().mean(dim=(1, 2, 3)).sqrt()


def ciede2000(lab: Tensor, truth: Tensor) -> Tensor:
    """Mean color difference as people see it (Sharma, Wu and Dalal 2005), (B, 3, H, W) each in Lab units -> (B,)."""
    difference = deltaE_ciede2000(lab.cpu().numpy(), truth.cpu().numpy(), channel_axis=1)
    return torch.from_numpy(difference).mean(dim=(1, 2)).to(lab)


def lab_mae(lab: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of rounded Lab over pixels and channels (Nazeri et al. 2018), (B, 3, H, W) each -> (B,)."""
    return (lab.round() - truth.round()).abs().mean(dim=(1, 2, 3))


def accuracy(lab: Tensor, truth: Tensor, share: float) -> Tensor:
    """Share of pixels whose three channels are right within `share` of their ranges (Nazeri et al. 2018).

    Args:
        lab: (B, 3, H, W) in Lab units; rounded here, as the truth.
        truth: the same.
        share: of the ranges 100, 220 and 220 of L, a and b, as in 0.02.

    Returns:
        (B,) in [0, 1].
    """
    limit = share * lab.new_tensor(LAB_RANGES)[:, None, None] + 1e-3  # float32 makes 0.05 of 220 a little less than 11
    return ((lab.round() - truth.round()).abs() <= limit).all(dim=1).float().mean(dim=(1, 2))


def auc(ab: Tensor, truth: Tensor) -> Tensor:
    """Each pixel's share of the thresholds 0, 1, ..., 150 of the ab error that it keeps (Zhang et al. 2016).

    Its mean over pixels is the area under the curve of the share of pixels with an error of at most t, over t.

    Args:
        ab: (B, 2, H, W) in Lab units.
        truth: the same.

    Returns:
        (B, H, W) in [0, 1].
    """
    first = _distance(ab, truth).ceil()
    return (FARTHEST + 1 - first).clamp(min=0) / (FARTHEST + 1)


def colorfulness(rgb: Tensor) -> Tensor:
    """How colorful people find a picture: 0 (gray), 33 (moderate), 109 (extreme).

    Hasler and Süsstrunk 2003, "Measuring colourfulness in natural images", section 5.

    Args:
        rgb: (B, 3, H, W) in [0, 1].

    Returns:
        (B,), in units of 8-bit values.
    """
    return _spread(_opponents(rgb))


def colorfulness_ddcolor(rgb: Tensor) -> Tensor:
    """As `colorfulness`, of the opponents' absolute values: what DDColor computes under that name."""
    return _spread(_opponents(rgb).abs())


def _distance(ab: Tensor, truth: Tensor) -> Tensor:
    """Euclidean, (B, 2, H, W) each -> (B, H, W); `norm` over channels takes a CPU several times as long."""
    return torch.hypot(*(ab - truth).unbind(dim=1))


def _opponents(rgb: Tensor) -> Tensor:
    """Red against green and yellow against blue, (B, 3, H, W) in [0, 1] -> (B, 2, H*W) in 8-bit values."""
    r, g, b = (255 * rgb).unbind(dim=1)
    return torch.stack([r - g, (r + g) / 2 - b], dim=1).flatten(2)


def _spread(opponents: Tensor) -> Tensor:
    std, mean = torch.std_mean(opponents, dim=2, correction=0)
    return std.norm(dim=1) + 0.3 * mean.norm(dim=1)


def hits(logits: Tensor, label: Tensor, k: int) -> Tensor:
    """1 where the true class is among the k likeliest, else 0; logits (B, classes), label (B,) -> (B,)."""
    likeliest = logits.topk(min(k, logits.shape[1]), dim=1).indices
    return (likeliest == label[:, None]).any(dim=1).float()
