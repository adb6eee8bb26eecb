"""Pictures in memory: PIL images, arrays and tensors, converted to lists of tensors and back."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorgan.errors import UserError
from colorgan.imaging import decoding, pixels

_SLACK = 1e-3  # how far floats may lie outside [0, 1]: resampling and half precision overshoot a little
Pictures = Image.Image | np.ndarray | Tensor
Repack = Callable[[list[Tensor]], Pictures]


def unpack(pictures: Pictures) -> tuple[list[Tensor], Repack]:
    """Convert pictures to a list of tensors, and return the function that converts colored ones back.

    Args:
        pictures: A PIL image of any mode; an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); or a tensor (H, W),
            (1, H, W), (3, H, W), (B, 1, H, W) or (B, 3, H, W). Values are uint8, uint16, or floats in [0, 1].

    Returns:
        The pictures (1, H, W) or (3, H, W): uint8 or uint16 as they were, but arrays and tensors of uint16 as float32
        in [0, 1], as floats are. And a function that converts a list of colored pictures (3, H, W), uint8 where they
        were PIL images or uint8, else floats, to the type, dtype, layout and device of the input, with the input's
        alpha channel. A PIL image is returned upright and at 8 bits.

    Raises:
        UserError: If the type, shape, dtype or range is another, or if a PIL image cannot be decoded.
    """
    if isinstance(pictures, Image.Image):
        return _unpack_image(pictures)
    if isinstance(pictures, np.ndarray):
        return _unpack_array(pictures)
    if isinstance(pictures, Tensor):
        return _unpack_tensor(pictures)
    raise UserError(f"cannot color {type(pictures).__name__}: give a PIL image, a numpy array or a torch tensor")


def to_tensor(levels: np.ndarray) -> Tensor:
    """Return the pixels (H, W) or (H, W, C) of a picture as a tensor (C, H, W) that shares their memory."""
    return torch.from_numpy(levels if levels.ndim == 3 else levels[..., None]).permute(2, 0, 1)


def _unpack_image(image: Image.Image) -> tuple[list[Tensor], Repack]:
    try:
        with decoding.pillow_settings():
            levels, alpha = pixels.to_levels_alpha(image)
    except Exception as error:  # an image that is opened but not decoded yet fails in as many ways as a file
        name = getattr(image, "filename", "") or f"a PIL image {image.size}"
        raise UserError(f"cannot color {name}: {decoding.describe(error)}") from error

    def repack(colored: list[Tensor]) -> Image.Image:
        result = Image.fromarray(colored[0].permute(1, 2, 0).numpy())
        if alpha is not None:
            result.putalpha(Image.fromarray(alpha))
        return result

    return [to_tensor(levels)], repack


def _unpack_array(array: np.ndarray) -> tuple[list[Tensor], Repack]:
    values = array[..., None] if array.ndim == 2 else array
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4) or not values.size:
        raise UserError(f"cannot color an array {array.shape}: give (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)")
    full = _full_scale(array)
    colors = values[..., :3]
    picture = to_tensor(np.array(colors) if full == 255 else (colors.astype(np.float32) / full).clip(0, 1))

    def repack(colored: list[Tensor]) -> np.ndarray:
        rgb = colored[0].permute(1, 2, 0).cpu().numpy()
        if full != 255:
            rgb = rgb.clip(0, 1) * full
            rgb = (rgb if full == 1 else rgb.round()).astype(array.dtype)
        return np.concatenate([rgb, values[..., 3:]], axis=2)  # the alpha, if there is one

    return [picture], repack


def _unpack_tensor(tensor: Tensor) -> tuple[list[Tensor], Repack]:
    batch = tensor[(None,) * max(0, 4 - tensor.ndim)].detach()  # (B, 1 or 3, H, W)
    if tensor.ndim not in (2, 3, 4) or batch.shape[1] not in (1, 3) or not batch.numel():
        raise UserError(f"cannot color a tensor {tuple(tensor.shape)}: give (H, W), ([B,] 1, H, W) or ([B,] 3, H, W)")
    full = _full_scale(tensor)
    pictures = batch if full == 255 else (batch.float() / full).clamp(0, 1)

    def repack(colored: list[Tensor]) -> Tensor:
        rgb = torch.stack(colored)
        if full != 255:
            rgb = rgb.clamp(0, 1) * full
            rgb = rgb if full == 1 else rgb.round()
        rgb = rgb.to(tensor.device, tensor.dtype)
        return rgb if tensor.ndim == 4 else rgb[0]

    return list(pictures), repack


def _full_scale(values: np.ndarray | Tensor) -> int:
    """Return the value of white: 255, 65535, or 1 for floats, which have to lie in [0, 1]."""
    kind = getattr(values.dtype, "name", str(values.dtype)).removeprefix("torch.")
    if kind in ("uint8", "uint16"):
        return np.iinfo(kind).max
    if "float" not in kind:
        raise UserError(f"cannot color {kind} values: give uint8, uint16 or floats in [0, 1]")
    low, high = float(values.min()), float(values.max())
    if not (low > -_SLACK and high < 1 + _SLACK):  # so that NaN fails too
        raise UserError(f"cannot color floats from {low:g} to {high:g}: scale them to [0, 1]")
    return 1
