"""Motion between two frames: dense inverse search (Kroeger et al. 2016), which needs no weights, and what it is worth.

A flow (H, W, 2) of frame a to frame b says where each pixel of a lies in b: at its own place plus (x, y) in pixels.
"""

import cv2
import numpy as np

Array = np.ndarray
cv2.setNumThreads(1)  # the flow depends on how many threads search; frames are small


def flow(a: Array, b: Array) -> Array:
    """Return the flow (H, W, 2) of frame `a` to frame `b`, each L (H, W) in [0, 100]."""
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return search.calc(_levels(a), _levels(b), None)


def warp(frame: Array, motion: Array, interpolation: int = cv2.INTER_LINEAR) -> Array:
    """Fetch the values of a frame from where they lie.

    Args:
        frame: b, (H, W) or (H, W, C), float32.
        motion: flow (H, W, 2) of a to b.
        interpolation: of OpenCV.

    Returns:
        b as seen from a, of the shape of `frame`; the border goes on outside of it.
    """
    x, y = np.moveaxis(_positions(motion), -1, 0)
    return cv2.remap(frame, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE)


def inside(motion: Array) -> Array:
    """Return where (H, W) a flow leads to a pixel within the frame."""
    height, width = motion.shape[:2]
    x, y = np.moveaxis(_positions(motion), -1, 0)
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def disagreement(forward: Array, backward: Array) -> Array:
    """Return how far (H, W), in squared pixels, one ends from where one started, going there and back."""
    return np.square(forward + warp(backward, forward)).sum(axis=-1)


def visible(forward: Array, backward: Array) -> Array:
    """Return where (H, W) a pixel of a is seen in b, away from edges of motion (Ruder et al. 2016, section 4.3).

    Args:
        forward: flow of a to b.
        backward: flow of b to a.
    """
    lengths = np.square(forward).sum(axis=-1) + np.square(warp(backward, forward)).sum(axis=-1)
    seen = disagreement(forward, backward) <= 0.01 * lengths + 0.5
    slopes = sum(np.square(np.gradient(forward, axis=axis)).sum(axis=-1) for axis in (0, 1))
    return seen & (slopes <= 0.01 * np.square(forward).sum(axis=-1) + 0.002) & inside(forward)


def _positions(motion: Array) -> Array:
    height, width = motion.shape[:2]
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y], axis=-1).astype(np.float32) + motion


def _levels(L: Array) -> Array:
    return np.clip(2.55 * L, 0, 255).astype(np.uint8)
