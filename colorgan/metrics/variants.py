"""Metrics as single papers define them: measured where a protocol of `colorgan.evaluation.protocols` asks for them.

Each is a metric of METRICS but for what its entry changes.
"""

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from colorgan.metrics.metric import Batch, Metric
from colorgan.metrics.registry import METRICS

SSIM_RANGE = 225  # sic, in the code of CT2; 8-bit values have a range of 255


def _ssim_ct2(pictures: Batch, truth: Batch) -> Tensor:
    from skimage.metrics import structural_similarity

    pairs = zip(*(batch.pixels.permute(0, 2, 3, 1).cpu().numpy() for batch in (pictures, truth)), strict=True)
    return torch.tensor([structural_similarity(x, y, data_range=SSIM_RANGE, channel_axis=-1) for x, y in pairs])


def _features_ct2(pictures: Batch, truth: Batch) -> Tensor:
    return pictures.networks.torchvision_features(pictures.rgb)


def _features_ddcolor(pictures: Batch, truth: Batch) -> Tensor:
    # Their network, which is CT2's, takes values of -1 to 1, and is given values of 0 to 1.
    return pictures.networks.torchvision_features(0.5 * pictures.rgb + 0.5)


VARIANTS: dict[str, Metric] = {
    "colorfulness_difference_ddcolor": replace(
        METRICS["colorfulness_difference"],
        title="colorfulness difference, DDColor's",
        definition="Absolute difference between the mean of DDColor's colorfulness over all pictures and that over the "
        "true ones, 0 and up.",
        measure=METRICS["colorfulness_ddcolor"].measure,
    ),
    "fid_ddcolor": replace(
        METRICS["fid"],
        title="FID, DDColor's",
        definition="As FID, CT2's, but the pictures have half the contrast: 0.5 + 0.5 x in place of x, as the code of "
        "DDColor (Kang et al. 2023) gives them to the network.",
        measure=_features_ddcolor,
        needs="inception_torchvision",
    ),
    "fid_ct2": replace(
        METRICS["fid"],
        title="FID, CT2's",
        definition="As FID, with torchvision's Inception-v3 in place of TensorFlow's, on values of 0 to 1 that are not "
        "normalized, scaled to 299 px (bilinear), as the code of CT2 (Weng et al. 2022) does.",
        measure=_features_ct2,
        needs="inception_torchvision",
    ),
    "ssim_ct2": replace(
        METRICS["ssim"],
        title="SSIM, CT2's",
        definition="Structural similarity of 8-bit sRGB by scikit-image, uniform windows of 7 x 7, for a range of 225 "
        "in place of 255, as the code of CT2 (Weng et al. 2022) does.",
        measure=_ssim_ct2,
    ),
    "lpips_vgg": replace(
        METRICS["lpips"],
        title="LPIPS (VGG)",
        definition="As LPIPS, with VGG-16 in place of AlexNet.",
        measure=lambda pictures, truth: pictures.networks.lpips_vgg_distance(pictures.pixels, truth.pixels),
        needs="lpips_vgg",
    ),
}
KNOWN: Mapping[str, Metric] = ChainMap(VARIANTS, METRICS)  # in the order of tables, METRICS first


def select(keys: Sequence[str] | None) -> Mapping[str, Metric]:
    """Return the metrics of these keys, in their order; for None, METRICS."""
    return METRICS if keys is None else {key: KNOWN[key] for key in keys}
