"""Color carried along from frame to frame, so that it does not flicker.

A net that colors each frame by itself changes its mind with the grain of the film. Here the color of the frame before
moves with the picture, and drifts to what the net predicts now. Where the motion is unsure it is the prediction alone,
and so it is in the first frame after a cut.
"""

import cv2
import numpy as np
import torch

from colorgan.colorizer.painting import LowResolution
from colorgan.frames.flow import disagreement, flow, inside, warp

KEPT = 0.9  # share of a color that is kept from frame to frame; docs/video.md compares others
SIGMA_MOTION = 1.0  # pixels that going there and back may miss by
SIGMA_LIGHTNESS = 8.0  # units of L by which a pixel may change: grain, and light that flickers
CUT = 0.3  # share of the picture that is found again, below which it is another scene; measured: 0.6 and above, or 0.03


class Carrier:
    """The color of the frame before, and how many cuts there were."""

    def __init__(self) -> None:
        self.ab: np.ndarray | None = None  # (h, w, 2) in Lab units, as painted
        self.L: np.ndarray | None = None  # (H, W) in [0, 100], where it was predicted
        self.cuts = 0

    def carry(self, L: torch.Tensor, color: LowResolution) -> LowResolution:
        """Return the color of the next frame.

        Args:
            L: (1, 1, H, W) in [0, 100], of which the color was predicted.
            color: as predicted, of (h, w), which may be smaller.
        """
        lightness, ab = L[0, 0].cpu().numpy(), color.ab[0].permute(1, 2, 0).numpy()
        if self.ab is not None:
            motion = flow(lightness, self.L)
            found = reliability(lightness, self.L, motion)
            if found.mean() < CUT:
                self.cuts += 1
            else:
                ab = _blend(ab, self.ab, motion, found)
        self.ab, self.L = ab, lightness
        return LowResolution(torch.from_numpy(ab).permute(2, 0, 1)[None].contiguous(), color.L)

    def state(self) -> dict[str, np.ndarray]:
        """Return what `restore` takes."""
        return {} if self.ab is None else {"ab": self.ab, "L": self.L, "cuts": np.array(self.cuts)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on after the last frame of another carrier."""
        if state:
            self.ab, self.L, self.cuts = state["ab"], state["L"], int(state["cuts"])


def reliability(L: np.ndarray, before: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Return how sure it is that a pixel is found in the frame before.

    Args:
        L: (H, W) in [0, 100].
        before: the same of the frame before.
        motion: flow of `L` to `before`.

    Returns:
        (H, W) in [0, 1]: high where going there and back ends at the start, and where lightness stays but for what the
        whole picture changes by.
    """
    change = cv2.GaussianBlur(L - warp(before, motion), (0, 0), 1.0)
    change -= change.mean()
    miss = disagreement(motion, flow(before, L))
    return np.exp(-miss / (2 * SIGMA_MOTION**2) - np.square(change) / (2 * SIGMA_LIGHTNESS**2)) * inside(motion)


def _blend(ab: np.ndarray, before: np.ndarray, motion: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return ab (h, w, 2), drawn to that of the frame before where it was found.

    Bicubic, for what is fetched a hundred times by bilinear interpolation is a blur.
    """
    height, width = ab.shape[:2]
    scale = np.float32([width / motion.shape[1], height / motion.shape[0]])
    small = cv2.resize(motion, (width, height), interpolation=cv2.INTER_AREA) * scale
    weight = KEPT * cv2.resize(found.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return ab + weight[..., None] * (warp(before, small, cv2.INTER_CUBIC) - ab)
