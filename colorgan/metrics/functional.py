"""The formulas of the metrics, one value per picture. Where a library has a metric, its own is used.

torchmetrics, kornia and scikit-image are imported where they are called: training waits for none of them.
"""

import math

import torch
from torch import Tensor

AB_BIN_WIDTH = 10.0  # Lab units, of the bins of `ab_histogram`
AB_BINS = 23  # along each axis
MAX_BINNED_AB = 115.0  # Lab units; the first bin begins at -115
MAX_AB_ERROR = 150  # Lab units, the last threshold of AuC
LAB_RANGES = (100.0, 220.0, 220.0)  # of L, a and b, in the pixel accuracy of Nazeri et al.
SSIM_WINDOW = 11  # pixels
MAX_PSNR = 100.0  # dB, given to equal pictures, whose PSNR is infinite


def psnr(rgb: Tensor, truth: Tensor) -> Tensor:
    """Compute the peak signal-to-noise ratio.

    Args:
        rgb: (B, 3, H, W) in [0, 1].
        truth: the same shape and range.

    Returns:
        (B,) in decibels, at most 100.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    return peak_signal_noise_ratio(rgb, truth, data_range=1.0, dim=(1, 2, 3), reduction="none").clamp(max=MAX_PSNR)


def ssim(rgb: Tensor, truth: Tensor) -> Tensor:
    """Compute the structural similarity (Wang et al. 2004, section III), 11 x 11 Gaussian windows with sigma 1.5.

    It is averaged over the windows that lie inside the picture, as the authors and scikit-image do. It is kornia's,
    which separates the Gaussian: that of torchmetrics takes 2.5 times as long.

    Args:
        rgb: (B, 3, H, W) in [0, 1], with H and W at least 11.
        truth: the same shape and range.

    Returns:
        (B,) in [-1, 1].
    """
    from kornia.metrics import ssim as similarity

    windows = similarity(rgb, truth, SSIM_WINDOW, eps=0.0, padding="valid")
    # Rounded to the precision of float32, so that equal pictures give exactly 1.
    return windows.mean(dim=(1, 2, 3)).round(decimals=6)


def ab_error(ab: Tensor, truth: Tensor) -> Tensor:
    """Compute the mean Euclidean distance in the ab plane.

    Args:
        ab: (B, 2, H, W) in Lab units.
        truth: the same shape and range.

    Returns:
        (B,) in Lab units.
    """
    return _ab_distance(ab, truth).mean(dim=(1, 2))


def rmse_ab(ab: Tensor, truth: Tensor) -> Tensor:
    """Compute the root of the mean squared error over pixels and both channels.

    Args:
        ab: (B, 2, H, W) in Lab units.
        truth: the same shape and range.

    Returns:
        (B,) in Lab units.
    """
    return (ab - truth).square().mean(dim=(1, 2, 3)).sqrt()


def ciede2000(lab: Tensor, truth: Tensor) -> Tensor:
    """Compute the mean CIEDE2000 color difference (Sharma, Wu and Dalal 2005).

    Args:
        lab: (B, 3, H, W) in Lab units.
        truth: the same shape and range.

    Returns:
        (B,), 0 and above; 1 is just noticeable.
    """
    from skimage.color import deltaE_ciede2000

    difference = deltaE_ciede2000(lab.cpu().numpy(), truth.cpu().numpy(), channel_axis=1)
    return torch.from_numpy(difference).mean(dim=(1, 2)).to(lab)


def lab_mae(lab: Tensor, truth: Tensor) -> Tensor:
    """Compute the mean absolute error of Lab rounded to whole units (Nazeri, Ng and Ebrahimi 2018).

    Args:
        lab: (B, 3, H, W) in Lab units.
        truth: the same shape and range.

    Returns:
        (B,) in Lab units.
    """
    return (lab.round() - truth.round()).abs().mean(dim=(1, 2, 3))


def accuracy(lab: Tensor, truth: Tensor, tolerance: float) -> Tensor:
    """Compute the share of pixels whose three rounded channels are all correct (Nazeri, Ng and Ebrahimi 2018).

    Args:
        lab: (B, 3, H, W) in Lab units.
        truth: the same shape and range.
        tolerance: largest error of a correct channel, as a share of its range (100 for L, 220 for a and b).

    Returns:
        (B,) in [0, 1].
    """
    # In float32, 0.05 * 220 is slightly less than 11: an error of 11 must pass.
    limit = tolerance * lab.new_tensor(LAB_RANGES)[:, None, None] + 1e-3
    worst = ((lab.round() - truth.round()).abs() / limit).amax(dim=1)
    return (worst <= 1).float().mean(dim=(1, 2))


def auc(ab: Tensor, truth: Tensor) -> Tensor:
    """Compute, for each pixel, the share of the thresholds 0, 1, ..., 150 that its ab error does not exceed.

    The mean over pixels is the area under the curve of Zhang, Isola and Efros 2016, section 3.1: the share of pixels
    whose error is at most t, over t.

    Args:
        ab: (B, 2, H, W) in Lab units.
        truth: the same shape and range.

    Returns:
        (B, H, W) in [0, 1].
    """
    first = _ab_distance(ab, truth).ceil()  # the lowest threshold that the error does not exceed
    return (MAX_AB_ERROR + 1 - first).clamp(min=0) / (MAX_AB_ERROR + 1)


def colorfulness(rgb: Tensor) -> Tensor:
    """Compute the perceived colorfulness (Hasler and Süsstrunk 2003, section 5): 0 gray, 33 moderate, 109 extreme.

    Args:
        rgb: (B, 3, H, W) in [0, 1].

    Returns:
        (B,), 0 and above, in units of 8-bit values.
    """
    return _colorfulness_of_opponents(_opponent_channels(rgb))


def colorfulness_ddcolor(rgb: Tensor) -> Tensor:
    """Compute `colorfulness` on absolute opponent channels, as the code of DDColor (Kang et al. 2023) does.

    Args:
        rgb: (B, 3, H, W) in [0, 1].

    Returns:
        (B,), 0 and above, in units of 8-bit values.
    """
    return _colorfulness_of_opponents(_opponent_channels(rgb).abs())


def hits(logits: Tensor, label: Tensor, k: int) -> Tensor:
    """Tell for each picture whether its true class is among the k largest logits; their mean is the top-k accuracy.

    Args:
        logits: (B, classes).
        label: (B,) indices of the true classes.
        k: number of largest logits; more than there are classes counts as all.

    Returns:
        (B,), 1 or 0.
    """
    likeliest = logits.topk(min(k, logits.shape[1]), dim=1).indices
    return (likeliest == label[:, None]).any(dim=1).float()


def ab_bin(ab: Tensor) -> Tensor:
    """Return the bin of 10 x 10 Lab units of each color.

    For colors within sRGB it is the nearest of the 313 in-gamut bins of Zhang, Isola and Efros 2016.

    Args:
        ab: (B, 2, H, W) in Lab units.

    Returns:
        (B, H, W), int64, in [0, 529).
    """
    a, b = ((ab + MAX_BINNED_AB) / AB_BIN_WIDTH).long().clamp(0, AB_BINS - 1).unbind(dim=1)
    return a * AB_BINS + b


def ab_histogram(ab: Tensor) -> Tensor:
    """Count the colors of all pixels in bins of 10 x 10 Lab units.

    Args:
        ab: (B, 2, H, W) in Lab units.

    Returns:
        (529,) numbers of pixels, float64 where the device has it. Histograms of several batches may be added.
    """
    flat = ab_bin(ab).flatten()
    counts = torch.zeros(
        AB_BINS**2, device=ab.device, dtype=torch.float32 if ab.device.type == "mps" else torch.float64
    )
    return counts.scatter_add_(0, flat, torch.ones_like(flat, dtype=counts.dtype))


def histogram_distance(counts: Tensor, truth: Tensor) -> Tensor:
    """Compute the Jensen-Shannon distance of two histograms (Endres and Schindelin 2003), with logarithms to base 2.

    Args:
        counts: (N,), not all 0.
        truth: (N,), not all 0.

    Returns:
        scalar in [0, 1]: 0 for equal distributions, 1 for distributions without a common bin.
    """
    p, q = counts / counts.sum(), truth / truth.sum()
    middle = (p + q) / 2
    divergence = (torch.xlogy(p, p / middle).nansum() + torch.xlogy(q, q / middle).nansum()) / (2 * math.log(2))
    return divergence.clamp(min=0).sqrt()


def _ab_distance(ab: Tensor, truth: Tensor) -> Tensor:
    """Euclidean distance per pixel, (B, 2, H, W) each -> (B, H, W)."""
    return torch.hypot(*(ab - truth).unbind(dim=1))  # `norm` over channels takes a CPU several times as long


def _opponent_channels(rgb: Tensor) -> Tensor:
    """Red-green and yellow-blue, (B, 3, H, W) in [0, 1] -> (B, 2, H*W) in 8-bit values."""
    r, g, b = (255 * rgb).unbind(dim=1)
    return torch.stack([r - g, (r + g) / 2 - b], dim=1).flatten(2)


def _colorfulness_of_opponents(opponents: Tensor) -> Tensor:
    mean = opponents.mean(dim=2, keepdim=True)
    variance = (opponents - mean).square().mean(dim=2)  # `std_mean` takes a CPU several times as long
    return variance.sum(dim=1).sqrt() + 0.3 * mean.norm(dim=(1, 2))
