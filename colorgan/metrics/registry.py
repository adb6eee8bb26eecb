"""Every metric that the evaluator reports, in the order of its tables. To add a metric, add an entry to METRICS."""

import math

import numpy as np
import torch
from torch import Tensor

from colorgan.metrics import functional
from colorgan.metrics.bootstrap import Interval, normal_interval, percentile_interval
from colorgan.metrics.distances import frechet_distance, kernel_distances
from colorgan.metrics.metric import Batch, Metric

MIN_FEATURES = 10  # pictures, below which a covariance of their features means nothing


# Measures that two metrics share, or that do not fit on a line.


def _rebalanced_auc_and_weight(pictures: Batch, truth: Batch) -> Tensor:
    """(B, 2): the weighted sum of AuC over pixels, in percent, and the sum of the weights."""
    weights = truth.rebalancing_weights
    weighted = 100 * (functional.auc(pictures.ab, truth.ab) * weights).sum(dim=(1, 2))
    return torch.stack([weighted, weights.sum(dim=(1, 2))], dim=1)


def _colorfulness(pictures: Batch, truth: Batch) -> Tensor:
    return functional.colorfulness(pictures.rgb)


def _inception_features(pictures: Batch, truth: Batch) -> Tensor:
    return pictures.networks.inception_features(pictures.pixels)


def _classifier_features(pictures: Batch, truth: Batch) -> Tensor:
    return pictures.features_and_logits[0]


# Summaries other than the mean over pictures.


def _ratio_of_sums(values: np.ndarray, truth: np.ndarray | None) -> Interval:
    sums, weights = np.ascontiguousarray(values.T)
    return percentile_interval(lambda counts: counts @ sums / (counts @ weights), len(values))


def _difference_of_means(values: np.ndarray, truth: np.ndarray | None) -> Interval:
    differences = values - truth
    return percentile_interval(lambda counts: np.abs(counts @ differences) / len(values), len(values))


def _frechet(values: np.ndarray, truth: np.ndarray | None) -> Interval:
    x, y = torch.from_numpy(values), torch.from_numpy(truth)

    def distances(counts: np.ndarray) -> np.ndarray:
        return np.array([frechet_distance(x, y, drawn) for drawn in torch.from_numpy(counts)])

    return normal_interval(distances, len(x), least=0.0)


def _kernel(values: np.ndarray, truth: np.ndarray | None) -> Interval:
    x, y = torch.from_numpy(values), torch.from_numpy(truth)

    def distances(counts: np.ndarray) -> np.ndarray:
        return 1000 * kernel_distances(x, y, torch.from_numpy(counts)).numpy()

    return normal_interval(distances, len(x), least=-math.inf)


METRICS: dict[str, Metric] = {
    "psnr": Metric(
        title="PSNR",
        unit="dB",
        better="higher",
        perfect=functional.MAX_PSNR,
        definition="Peak signal-to-noise ratio over the three channels of 8-bit sRGB, per picture; at most 100, the "
        "value of equal pictures.",
        measure=lambda pictures, truth: functional.psnr(pictures.rgb, truth.rgb),
    ),
    "ssim": Metric(
        title="SSIM",
        better="higher",
        perfect=1.0,
        definition="Structural similarity of sRGB, the mean over channels and over the windows inside the picture, "
        "11 x 11 with sigma 1.5, -1 to 1 (Wang et al. 2004).",
        measure=lambda pictures, truth: functional.ssim(pictures.rgb, truth.rgb),
        digits=3,
    ),
    "ab_error": Metric(
        title="ab error",
        unit="Lab",
        better="lower",
        perfect=0.0,
        definition="Mean Euclidean distance in the ab plane of CIE Lab (D65), in Lab units, 0 and up.",
        measure=lambda pictures, truth: functional.ab_error(pictures.ab, truth.ab),
    ),
    "rmse_ab": Metric(
        title="RMSE ab",
        unit="Lab",
        better="lower",
        perfect=0.0,
        definition="Root of the mean squared error over pixels and both ab channels, per picture, then the mean, in "
        "Lab units, 0 and up. Not comparable with the RMSE of Larsson et al. 2016, whose values are near 0.3.",
        measure=lambda pictures, truth: functional.rmse_ab(pictures.ab, truth.ab),
    ),
    "ciede2000": Metric(
        title="CIEDE2000",
        better="lower",
        perfect=0.0,
        definition="Mean CIEDE2000 color difference, 0 and up; 1 is just noticeable (Sharma, Wu and Dalal 2005).",
        measure=lambda pictures, truth: functional.ciede2000(pictures.lab, truth.lab),
    ),
    "mae": Metric(
        title="MAE",
        unit="Lab",
        better="lower",
        perfect=0.0,
        definition="Mean absolute error over L, a and b, each rounded to whole Lab units, 0 and up (Nazeri, Ng and "
        "Ebrahimi 2018).",
        measure=lambda pictures, truth: functional.lab_mae(pictures.lab, truth.lab),
    ),
    "acc2": Metric(
        title="accuracy 2%",
        unit="%",
        better="higher",
        perfect=100.0,
        definition="Share of pixels whose rounded L, a and b are all within 2% of their ranges 100, 220 and 220, 0 to "
        "100 (Nazeri, Ng and Ebrahimi 2018).",
        measure=lambda pictures, truth: 100 * functional.accuracy(pictures.lab, truth.lab, 0.02),
        digits=1,
    ),
    "acc5": Metric(
        title="accuracy 5%",
        unit="%",
        better="higher",
        perfect=100.0,
        definition="As accuracy 2%, within 5%.",
        measure=lambda pictures, truth: 100 * functional.accuracy(pictures.lab, truth.lab, 0.05),
        digits=1,
    ),
    "auc": Metric(
        title="AuC",
        unit="%",
        better="higher",
        perfect=100.0,
        definition="Share of pixels whose ab error is at most t, averaged over t = 0, 1, ..., 150, 0 to 100 (Zhang, "
        "Isola and Efros 2016).",
        measure=lambda pictures, truth: 100 * functional.auc(pictures.ab, truth.ab).mean(dim=(1, 2)),
        digits=1,
    ),
    "auc_rebalanced": Metric(
        title="AuC rebalanced",
        unit="%",
        better="higher",
        perfect=100.0,
        definition="As AuC, each pixel weighted by the inverse frequency of its true color among the 313 in-gamut "
        "bins, 0 to 100 (Zhang, Isola and Efros 2016). The frequencies are those of the evaluated pictures; the "
        "authors take those of ImageNet.",
        measure=_rebalanced_auc_and_weight,
        digits=1,
        summarize=_ratio_of_sums,
    ),
    "colorfulness": Metric(
        title="colorfulness",
        better="near",
        perfect=None,
        definition="Perceived colorfulness: 0 (gray), 33 (moderate), 109 (extreme), in 8-bit values (Hasler and "
        "Süsstrunk 2003).",
        measure=_colorfulness,
        digits=1,
        measures_truth=True,
    ),
    "colorfulness_ddcolor": Metric(
        title="colorfulness, DDColor's",
        better="near",
        perfect=None,
        definition="As colorfulness, on the absolute values of both opponent channels, 0 and up, as the code of "
        "DDColor (Kang et al. 2023) does.",
        measure=lambda pictures, truth: functional.colorfulness_ddcolor(pictures.rgb),
        digits=1,
        measures_truth=True,
    ),
    "colorfulness_difference": Metric(
        title="colorfulness difference",
        better="lower",
        perfect=0.0,
        definition="Absolute difference between the mean colorfulness (Hasler and Süsstrunk) of all pictures and that "
        "of the true ones, 0 and up.",
        measure=_colorfulness,
        summarize=_difference_of_means,
        measures_truth=True,
    ),
    "lpips": Metric(
        title="LPIPS",
        better="lower",
        perfect=0.0,
        definition="Learned perceptual distance with AlexNet, 0 and up (Zhang et al. 2018), by torchmetrics.",
        measure=lambda pictures, truth: pictures.networks.lpips_distance(pictures.pixels, truth.pixels),
        digits=3,
        needs="lpips",
    ),
    "fid": Metric(
        title="FID (Inception)",
        better="lower",
        perfect=0.0,
        definition="Fréchet distance between Inception-v3's 2,048 features of the pictures and of the true ones, 0 "
        "and up (Heusel et al. 2017), by torchmetrics and torch-fidelity.",
        measure=_inception_features,
        digits=None,
        summarize=_frechet,
        measures_truth=True,
        needs="inception",
        min_pictures=MIN_FEATURES,
    ),
    "kid": Metric(
        title="KID (Inception)",
        unit="x 1000",
        better="lower",
        perfect=0.0,
        definition="Kernel distance between the same features, which unlike FID has no bias where pictures are few: "
        "about 0, possibly below, where the sets do not differ (Bińkowski et al. 2018); the estimator for paired "
        "samples (Gretton et al. 2012).",
        measure=_inception_features,
        digits=None,
        summarize=_kernel,
        measures_truth=True,
        needs="inception",
        min_pictures=MIN_FEATURES,
    ),
    "fid_classifier": Metric(
        title="FID (own classifier)",
        better="lower",
        perfect=0.0,
        definition="Fréchet distance between features of the given classifier, 0 and up. Not comparable with FID in "
        "Inception's features, nor in those of another classifier.",
        measure=_classifier_features,
        digits=None,
        summarize=_frechet,
        measures_truth=True,
        needs="classifier",
        min_pictures=MIN_FEATURES,
    ),
    "kid_classifier": Metric(
        title="KID (own classifier)",
        unit="x 1000",
        better="lower",
        perfect=0.0,
        definition="As KID, in the features of the given classifier.",
        measure=_classifier_features,
        digits=None,
        summarize=_kernel,
        measures_truth=True,
        needs="classifier",
        min_pictures=MIN_FEATURES,
    ),
    "top1": Metric(
        title="top-1 (own classifier)",
        unit="%",
        better="higher",
        perfect=None,
        definition="Share of the pictures whose true class the given classifier, which sees color, finds, 0 to 100 "
        "(after Zhang, Isola and Efros 2016, section 3.2).",
        measure=lambda pictures, truth: (
            100 * functional.hits(pictures.features_and_logits[1], pictures.class_indices, 1)
        ),
        digits=1,
        measures_truth=True,
        needs="classifier_labels",
    ),
}
