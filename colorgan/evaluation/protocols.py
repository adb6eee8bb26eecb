"""The published protocols: on what, at which size and by which variants of metrics a paper's numbers were measured.

To add one, add an entry to PROTOCOLS, and a row to docs/evaluation.md. What resizes lies in `dataset`, the variants of
metrics in `colorgan.metrics.variants`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How pictures are prepared and what is measured on them.

    Attributes:
        title: whose protocol it is.
        pictures: what the published numbers were measured on.
        size: side of the evaluated squares in pixels.
        crop: whether the square center of a picture is taken; else the whole picture is squeezed to a square.
        resizing: the filter; "bicubic" is that of `imaging.images.thumbnail`, "bilinear" that of Pillow, which
            averages over what it shrinks, and "bilinear without antialiasing" that of OpenCV's `cv2.resize`.
        first: so many pictures, the first by file name, are evaluated; None evaluates all.
        metrics: keys of `METRICS` and `VARIANTS`, the ones that were published; None measures all of `METRICS`.
        truth: published means of `colorfulness_ddcolor` over the true pictures, by the name of the set.
        source: where the above stands.
        differs: what is not published, and what is done otherwise here.
    """

    title: str
    pictures: str
    size: int = 256
    crop: bool
    resizing: Literal["bicubic", "bilinear", "bilinear without antialiasing"]
    first: int | None = None
    metrics: tuple[str, ...] | None
    truth: Mapping[str, float] = field(default_factory=dict)
    source: str
    differs: str = ""

    @property
    def preparation(self) -> str:
        """How a picture becomes the evaluated square, for the reader of results."""
        how = "the square center of each picture, scaled" if self.crop else "each whole picture, squeezed"
        return f"{how} to the size ({self.resizing}), at 8 bits"


OWN = Protocol(  # what is done without --protocol, at any size
    title="colorgan",
    pictures="any",
    crop=True,
    resizing="bicubic",
    metrics=None,
    source="docs/evaluation.md",
)

_DDCOLOR = ("fid_ddcolor", "colorfulness_ddcolor", "colorfulness_difference_ddcolor", "psnr")

PROTOCOLS = {
    "ddcolor": Protocol(
        title="DDColor (Kang et al. 2023), whole pictures",
        pictures="ImageNet val (50,000), COCO-Stuff val (5,000), ADE20K val (2,000)",
        crop=False,
        resizing="bilinear without antialiasing",
        metrics=_DDCOLOR,
        truth={"ImageNet val, 50,000": 39.09, "COCO-Stuff, 5,000": 38.24, "ADE20K, 2,000": 35.04},
        source="Table 1; piddnad/DDColor, basicsr/data/lab_dataset.py, basicsr/metrics/colorfulness.py and "
        "custom_fid.py, basicsr/models/color_model.py; its issue 9",
        differs="Their FID is of pictures that are not yet rounded to 8 bits. Their options "
        "(options/train/train_ddcolor.yml) list a PSNR without a border of 4 px, commented out; ours is of the whole "
        "picture, as CT2's, beside whose figures theirs stand.",
    ),
    "ddcolor-5k": Protocol(
        title="DDColor (Kang et al. 2023), square centers",
        pictures="the first 5,000 of ImageNet val",
        crop=True,
        resizing="bilinear without antialiasing",
        first=5000,
        metrics=_DDCOLOR,
        truth={"ImageNet val, first 5,000": 38.21},
        source="as ddcolor; that this set alone is cut stands in issue 9",
        differs="As ddcolor; and with which filter the centers were scaled is not published: their loader has "
        "OpenCV's, but issue 9 refers to CT2, which has Pillow's; the calibration tells.",
    ),
    "ct2": Protocol(
        title="CT2 (Weng et al. 2022)",
        pictures="the first 5,000 of ImageNet val",
        crop=True,
        resizing="bilinear",
        first=5000,
        metrics=(
            "fid_ct2",
            "colorfulness_ddcolor",
            "colorfulness_difference_ddcolor",
            "psnr",
            "ssim_ct2",
            "lpips_vgg",
        ),
        source="shuchenweng/CT2, README.md, segm/data/coco.py, engine.py, metrics.py and eval_colorfullness.py",
        differs="They truncate predictions to 8 bits, and save them under the names of the photographs, hence as "
        "JPEG, before they measure. How their difference of colorfulness is averaged is not in their code, and why "
        "their paper has 2.17 where DDColor's has .27 for the same system is not explained (piddnad/DDColor, issue "
        "9).",
    ),
    "zhang2016": Protocol(
        title="Zhang, Isola and Efros 2016",
        pictures="10,000 of ImageNet val (as far as known, ctest10k of larsson2016)",
        crop=False,
        resizing="bilinear without antialiasing",
        metrics=("auc", "auc_rebalanced"),
        source="section 3.1; richzhang/colorization, models/colorization_train_val_v2.prototxt",
        differs="At what size they evaluate could not be found: the validation pictures of their training have 256 "
        "px a side, to which Caffe squeezes with OpenCV's filter. They weight by frequencies of colors in ImageNet, "
        "we by those of the evaluated pictures. The accuracy of a VGG that looks at the results is left out.",
    ),
    "nazeri2018": Protocol(
        title="Nazeri, Ng and Ebrahimi 2018",
        pictures="Places365's val_256 (36,500)",
        crop=False,
        resizing="bilinear",
        metrics=("mae", "acc2", "acc5"),
        source="ImagingLab/Colorizing-with-GANs, src/dataset.py and src/ops.py",
        differs="They resize nothing: Places365's small pictures are 256 x 256 already, and remain as they are here. "
        "Their figures on CIFAR-10, at 32 px, are another protocol.",
    ),
    "larsson2016": Protocol(
        title="Larsson, Maire and Shakhnarovich 2016",
        pictures="1,000 and 10,000 of ImageNet val, cval1k and ctest10k",
        crop=True,
        resizing="bilinear",
        metrics=("psnr",),
        source="gustavla/autocolorize, autocolorize/datasets.py and checker.py",
        differs="They measure whole pictures of a copy of ImageNet in a folder named 256; we take that for the short "
        "side, and measure the square center. The filter is not published. That PSNR is averaged over pictures could "
        "not be looked up, nor how the two axes of their RMSE are scaled, which is left out.",
    ),
    "hints2017": Protocol(
        title="Zhang et al. 2017",
        pictures="1,000 of ImageNet val, drawn from resources/ilsvrclin12_val_inds.npy",
        crop=False,
        resizing="bilinear",
        metrics=("psnr",),
        source="Figure 6; richzhang/colorization-pytorch, test_sweep.py, util/util.py and make_ilsvrc_dataset.py",
        differs="They truncate to 8 bits where we round, and which 1,000 their shuffled loader drew is not published.",
    ),
}


def calibration(protocol: Protocol, colorfulness: float) -> str:
    """Compare the truth's mean colorfulness with the published ones: a check of the pictures that needs no model.

    Args:
        protocol: one that has published values.
        colorfulness: the mean of `colorfulness_ddcolor` over the true pictures.
    """
    published = "; ".join(f"{value:.2f} ({name})" for name, value in protocol.truth.items())
    return f"calibration: the truth's mean colorfulness is {colorfulness:.2f}; published: {published}"
