"""Inner loops of painting and training, compiled by numba: several times as fast as tensors, in any number of threads.

numba takes most of a second to import and to load them, so that they are imported where they are called. What it
compiles is kept on disk, where it finds a folder that it may write to.
"""

from collections.abc import Callable

import numba
import numpy as np

from colorgan.color import CHROMA_BISECTIONS, GAMUT, LINE_END, LINE_SLOPE, RELATIVE_XYZ_TO_RGB

STEPS_PER_DEVIATION = 240  # of the table of a Gaussian
MAX_DEVIATIONS = 8  # where the table ends: there a Gaussian is 1e-14

_XYZ_TO_RGB = np.array(RELATIVE_XYZ_TO_RGB, np.float32)
_LOW, _HIGH = np.float32(GAMUT[0]), np.float32(GAMUT[1])
_LINE_END, _LINE_SLOPE = np.float32(LINE_END), np.float32(LINE_SLOPE)


def compiled(function: Callable) -> Callable:
    """Compile a function at its first call: once a machine where the result can be kept, else once a process."""
    options = {"nogil": True, "fastmath": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to keep it in
        return numba.njit(**options)(function)


def gaussian_table(epsilon: float) -> np.ndarray:
    """Return exp(-x^2 / 2) + epsilon, float32, in the middle of each step of x up to `MAX_DEVIATIONS`."""
    x = (np.arange(STEPS_PER_DEVIATION * MAX_DEVIATIONS) + 0.5) / STEPS_PER_DEVIATION
    return (np.exp(-(x**2) / 2) + epsilon).astype(np.float32)


@compiled
def guided(
    L: np.ndarray,
    rows: np.ndarray,
    down: np.ndarray,
    columns: np.ndarray,
    across: np.ndarray,
    low_res: np.ndarray,
    gaussian: np.ndarray,
    sigma: float,
    ab: np.ndarray,
) -> None:
    """Compute the weighted means of joint bilateral upsampling, see `colorizer.upsampling.Guided`.

    Args:
        L: (n, W) in [0, 100].
        rows: (n,) nearest row of low-resolution pixels, int64.
        down: (n, 3) weights of distance of the rows before, at and after it.
        columns: (W,) nearest column of low-resolution pixels, int64.
        across: (W, 3) weights of distance of the columns before, at and after it.
        low_res: (3, h, w), L, a and b.
        gaussian: from `gaussian_table`.
        sigma: standard deviation of the weight of lightness, in units of L.
        ab: (2, n, W), the result.
    """
    height, width = low_res.shape[1:]
    last = len(gaussian) - 1
    scale = np.float32(STEPS_PER_DEVIATION / sigma)
    window = np.empty((3, 3, 3), np.float32)
    for i in range(L.shape[0]):
        column = -1
        for x in range(L.shape[1]):
            if columns[x] != column:
                column = columns[x]
                for v in range(3):
                    for u in range(3):
                        row = min(max(rows[i] + v - 1, 0), height - 1)
                        window[:, v, u] = low_res[:, row, min(max(column + u - 1, 0), width - 1)]
                        window[0, v, u] *= scale
            a = b = total = np.float32(0)
            lightness = L[i, x] * scale
            for v in range(3):
                row_a = row_b = row_total = np.float32(0)
                for u in range(3):
                    weight = gaussian[min(int(abs(window[0, v, u] - lightness)), last)] * across[x, u]
                    row_total += weight
                    row_a += weight * window[1, v, u]
                    row_b += weight * window[2, v, u]
                total += row_total * down[i, v]
                a += row_a * down[i, v]
                b += row_b * down[i, v]
            ab[0, i, x] = a / total
            ab[1, i, x] = b / total


@compiled
def depthwise_gradient(
    x: np.ndarray, gradient: np.ndarray, down: int, across: int, top: int, left: int, result: np.ndarray
) -> None:
    """Add the gradient of the weights of a depthwise convolution.

    Args:
        x: (B, H, W, C), its input.
        gradient: (B, h, w, C), that of its output.
        down: stride of rows.
        across: stride of columns.
        top: rows of zeros above the input.
        left: columns of zeros before the input.
        result: (K, K, C), the weights' gradient.
    """
    for u in range(result.shape[0]):
        for v in range(result.shape[1]):
            sums = result[u, v]
            for n in range(x.shape[0]):
                for i in range(gradient.shape[1]):
                    row = i * down + u - top
                    if row < 0 or row >= x.shape[1]:
                        continue
                    for j in range(gradient.shape[2]):
                        column = j * across + v - left
                        if column < 0 or column >= x.shape[2]:
                            continue
                        pixel, slope = x[n, row, column], gradient[n, i, j]
                        for channel in range(len(sums)):
                            sums[channel] += pixel[channel] * slope[channel]


@compiled
def gray_lightness(gray: np.ndarray, table: np.ndarray, L: np.ndarray) -> None:
    """Look up the lightness of gray levels.

    Args:
        gray: (n, W), uint8 or uint16.
        table: L of each level, float32.
        L: (n, W), float32, the result.
    """
    for i in range(gray.shape[0]):
        for x in range(gray.shape[1]):
            L[i, x] = table[gray[i, x]]


@compiled
def rgb_lightness(rgb: np.ndarray, luminance: np.ndarray, table: np.ndarray, L: np.ndarray) -> None:
    """Look up the lightness of sRGB.

    Args:
        rgb: (3, n, W), uint8.
        luminance: (3, 256), what the levels of each channel contribute to Y in [0, 1], float32.
        table: L of Y in as many steps, float32.
        L: (n, W), float32, the result.
    """
    steps = np.float32(len(table))
    for i in range(rgb.shape[1]):
        for x in range(rgb.shape[2]):
            y = luminance[0, rgb[0, i, x]] + luminance[1, rgb[1, i, x]] + luminance[2, rgb[2, i, x]]
            L[i, x] = table[min(int(y * steps), len(table) - 1)]


@compiled
def join(L: np.ndarray, ab: np.ndarray, levels: np.ndarray, rgb: np.ndarray) -> None:
    """Join lightness and color to levels of sRGB, as `color.join` does.

    Loops over arrays that have no branches are computed for several pixels at a time.

    Args:
        L: (n, W) in [0, 100], float32.
        ab: (2, n, W) in Lab units, float32.
        levels: of sRGB, uint8, for the square root of linear light in [0, 1], in as many steps.
        rgb: (n, W, 3), uint8, the result.
    """
    width = L.shape[1]
    last = np.float32(len(levels) - 1)
    root, y, dx, dz, excess = np.empty((5, width), np.float32)
    linear = np.empty((3, width), np.float32)
    outside = np.empty(width, np.int64)
    for i in range(L.shape[0]):
        for x in range(width):
            root[x] = (L[i, x] + np.float32(16)) / np.float32(116)
            y[x] = _to_light(root[x])
            dx[x], dz[x] = ab[0, i, x] / np.float32(500), ab[1, i, x] / np.float32(-200)
        _to_linear(root, y, dx, dz, linear)
        _measure_excess(linear, excess)
        count = 0
        for x in range(width):
            if excess[x] > 0:
                outside[count] = x
                count += 1
        if count:
            chosen = outside[:count]
            linear[:, chosen] = _reduce_chroma(root[chosen], y[chosen], dx[chosen], dz[chosen])
        for channel in range(3):
            for x in range(width):
                linear[channel, x] = np.sqrt(min(max(linear[channel, x], np.float32(0)), np.float32(1))) * last
        for x in range(width):
            for channel in range(3):
                rgb[i, x, channel] = levels[int(linear[channel, x])]


@compiled
def _reduce_chroma(root: np.ndarray, y: np.ndarray, dx: np.ndarray, dz: np.ndarray) -> np.ndarray:
    """Return linear sRGB (3, N) with the chroma scaled to the largest in-gamut value, by bisection as in `color`."""
    linear = np.empty((3, len(root)), np.float32)
    scale, excess = np.zeros_like(root), np.empty_like(root)
    step = np.float32(0.5)
    for _ in range(CHROMA_BISECTIONS):
        _to_linear(root, y, dx * (scale + step), dz * (scale + step), linear)
        _measure_excess(linear, excess)
        for x in range(len(root)):
            scale[x] += step if excess[x] <= 0 else np.float32(0)
        step *= np.float32(0.5)
    _to_linear(root, y, dx * scale, dz * scale, linear)
    return linear


@compiled
def _to_linear(root: np.ndarray, y: np.ndarray, dx: np.ndarray, dz: np.ndarray, linear: np.ndarray) -> None:
    """Map relative Y, its cube root, and by how much those of X and Z differ from it, (N,) each, to sRGB (3, N)."""
    for i in range(len(root)):
        x, z = _to_light(root[i] + dx[i]), _to_light(max(root[i] + dz[i], np.float32(0)))
        for channel in range(3):
            linear[channel, i] = (
                _XYZ_TO_RGB[channel, 0] * x + _XYZ_TO_RGB[channel, 1] * y[i] + _XYZ_TO_RGB[channel, 2] * z
            )


@compiled
def _to_light(root: float) -> float:
    """Map a cube root of which Lab consists to relative X, Y or Z."""
    power = max(root, _LINE_END)
    return power * power * power + (min(root, _LINE_END) - _LINE_END) / _LINE_SLOPE


@compiled
def _measure_excess(linear: np.ndarray, excess: np.ndarray) -> None:
    """Measure how far linear sRGB (3, N) is out of gamut, (N,): 0 or below for colors in it."""
    for x in range(len(excess)):
        low = min(linear[0, x], linear[1, x], linear[2, x])
        high = max(linear[0, x], linear[1, x], linear[2, x])
        excess[x] = max(_LOW - low, high - _HIGH)
