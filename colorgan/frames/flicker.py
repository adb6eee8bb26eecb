"""How much the color of a video flickers, after the warping error of Lai et al. 2018 (section 4.2)."""

from collections.abc import Sequence

import numpy as np

from colorgan.frames.flow import flow, visible, warp

ALPHA = 50.0  # of the weights exp(-ALPHA d^2), d the change of lightness where white is 1 (section 3.2)


class Flicker:
    """Mean warped difference of the color of consecutive frames, of several versions of one video.

    A pixel is looked up where, by the motion, it was in the frame before, and its color is compared.
    Pixels that were not visible there, or lie at edges of motion, do not count, and those whose lightness changed count
    less. The paper squares differences of RGB; this is the distance in the ab plane, in the units of the ab error.

    Args:
        versions: number of versions.
    """

    def __init__(self, versions: int):
        self.totals = np.zeros(versions)
        self.pairs = 0
        self.before: tuple[np.ndarray, Sequence[np.ndarray]] | None = None

    def update(self, L: np.ndarray, colors: Sequence[np.ndarray]) -> None:
        """Take the next frame.

        Args:
            L: (H, W) in [0, 100], of the true frame.
            colors: ab (H, W, 2) in Lab units, of each version.
        """
        if self.before is not None:
            L_before, colors_before = self.before
            motion = flow(L, L_before)
            change = (L - warp(L_before, motion)) / 100
            weight = visible(motion, flow(L_before, L)) * np.exp(-ALPHA * np.square(change))
            if weight.sum() > 0:  # else a cut
                differences = [
                    np.linalg.norm(ab - warp(before, motion), axis=-1)
                    for ab, before in zip(colors, colors_before, strict=True)
                ]
                self.totals += [(weight * difference).sum() / weight.sum() for difference in differences]
                self.pairs += 1
        self.before = L, colors

    def result(self) -> list[float]:
        """Return the flicker of each version in Lab units, averaged over pairs of frames; nan without any."""
        return [float(total) / self.pairs if self.pairs else float("nan") for total in self.totals]
