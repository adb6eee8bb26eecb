"""Every metric of the evaluator: what it measures, in which range, after whom."""

import math
from typing import Literal, NamedTuple

DIGITS = {"ssim": 3, "lpips": 3, "colorfulness": 1, "colorfulness_ddcolor": 1}  # the others: 1 of percents, else 2


class Metric(NamedTuple):
    """One row of the table, and what it says."""

    title: str
    unit: str
    better: Literal["higher", "lower", "near"]  # near: the closer to the truth's own value
    perfect: float | None  # of pictures that equal the truth; None: the truth's own value
    definition: str  # with its range and its source


METRICS = {
    "psnr": Metric(
        "PSNR",
        "dB",
        "higher",
        100.0,
        "Peak signal-to-noise ratio over the three channels of sRGB at 8 bits, per picture; cut at 100, where two "
        "pictures are equal.",
    ),
    "ssim": Metric(
        "SSIM",
        "",
        "higher",
        1.0,
        "Structural similarity of sRGB, the mean over channels and over the windows inside the picture, 11 x 11 with "
        "sigma 1.5, -1 to 1 (Wang et al. 2004).",
    ),
    "ab_error": Metric(
        "ab error",
        "Lab",
        "lower",
        0.0,
        "Mean Euclidean distance in the ab plane of CIE Lab (D65), in Lab units, 0 and up.",
    ),
    "rmse_ab": Metric(
        "RMSE ab",
        "Lab",
        "lower",
        0.0,
        "Root of the mean squared error over pixels and both ab channels, per picture, then the mean, in Lab units, 0 "
        "and up. Larsson et al. 2016 give another one, on values near 0.3: the two do not compare.",
    ),
    "ciede2000": Metric(
        "CIEDE2000",
        "",
        "lower",
        0.0,
        "Mean color difference as people see it, 0 and up; 1 is just noticeable (Sharma, Wu and Dalal 2005).",
    ),
    "mae": Metric(
        "MAE",
        "Lab",
        "lower",
        0.0,
        "Mean absolute error over L, a and b, each rounded to whole Lab units, 0 and up (Nazeri, Ng and Ebrahimi "
        "2018).",
    ),
    "acc2": Metric(
        "accuracy 2%",
        "%",
        "higher",
        100.0,
        "Share of pixels whose rounded L, a and b are all within 2% of their ranges 100, 220 and 220, 0 to 100 "
        "(Nazeri, Ng and Ebrahimi 2018).",
    ),
    "acc5": Metric("accuracy 5%", "%", "higher", 100.0, "As accuracy 2%, within 5%."),
    "auc": Metric(
        "AuC",
        "%",
        "higher",
        100.0,
        "Share of pixels whose ab error is at most t, averaged over t = 0, 1, ..., 150, 0 to 100 (Zhang, Isola and "
        "Efros 2016).",
    ),
    "auc_rebalanced": Metric(
        "AuC rebalanced",
        "%",
        "higher",
        100.0,
        "As AuC, each pixel weighted by the inverse frequency of its true color among the 313 in-gamut bins, here in "
        "the folder that is judged on, 0 to 100 (Zhang, Isola and Efros 2016, who take the frequencies of ImageNet).",
    ),
    "colorfulness": Metric(
        "colorfulness",
        "",
        "near",
        None,
        "0 (gray), 33 (moderate), 109 (extreme), in 8-bit values (Hasler and Süsstrunk 2003).",
    ),
    "colorfulness_ddcolor": Metric(
        "colorfulness, DDColor's",
        "",
        "near",
        None,
        "As colorfulness, of the absolute values of both opponents, 0 and up: what DDColor (Kang et al. 2023) computes "
        "under that name.",
    ),
    "colorfulness_difference": Metric(
        "colorfulness difference",
        "",
        "lower",
        0.0,
        "How far the mean colorfulness (Hasler and Süsstrunk) of all pictures lies from that of the true ones, 0 and "
        "up.",
    ),
    "lpips": Metric(
        "LPIPS",
        "",
        "lower",
        0.0,
        "Learned perceptual distance, AlexNet, 0 and up (Zhang et al. 2018), by torchmetrics.",
    ),
    "fid": Metric(
        "FID (Inception)",
        "",
        "lower",
        0.0,
        "Fréchet distance of Inception-v3's 2,048 features to those of the true pictures, 0 and up (Heusel et al. "
        "2017), by torchmetrics and torch-fidelity.",
    ),
    "kid": Metric(
        "KID (Inception)",
        "x 1000",
        "lower",
        0.0,
        "Kernel distance of the same features, without the bias that FID has where pictures are few: about 0, also "
        "below it, where the sets do not differ (Bińkowski et al. 2018); the estimate for pairs (Gretton et al. 2012).",
    ),
    "fid_classifier": Metric(
        "FID (own classifier)",
        "",
        "lower",
        0.0,
        "Fréchet distance in the features of the given classifier, 0 and up. It does not compare with Inception-FID, "
        "nor with that of another classifier.",
    ),
    "kid_classifier": Metric(
        "KID (own classifier)", "x 1000", "lower", 0.0, "As KID, in the features of the given classifier."
    ),
    "top1": Metric(
        "top-1 (own classifier)",
        "%",
        "higher",
        None,
        "How often the given classifier, which sees color, finds the true class of the colored picture, 0 to 100 (the "
        "idea: Zhang, Isola and Efros 2016).",
    ),
}


def number(metric: str, value: float) -> str:
    """A value with the digits that its metric deserves: `27.31`, `0.912`; three significant ones of FID and KID."""
    digits = 1 if METRICS[metric].unit == "%" else DIGITS.get(metric, 2)
    if metric.startswith(("fid", "kid")):
        digits = min(3, max(0, 2 - math.floor(math.log10(abs(value))))) if value else 0
    return f"{value:z.{digits}f}"
