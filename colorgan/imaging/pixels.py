"""Pixels of any PIL mode as plain sRGB: upright, with the alpha channel apart."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from colorgan.imaging import decoding, exif

_GRAY = {"1", "L", "LA", "La"}
_DEEP = {"I;16", "I;16L", "I;16B", "I;16N", "I", "F"}  # gray with more than 8 bits
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
_PROFILED = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # the color space of an ICC profile -> PIL's mode
_PHOTOMETRIC = 262  # the TIFF tag that says whether white is zero
_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_levels_alpha(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Convert an image of any mode to arrays, upright and in sRGB, without loss of depth.

    Args:
        image: Image of any mode.

    Returns:
        The colors: gray uint8 (H, W), or uint16 (H, W) of an image of more than 8 bits, or sRGB uint8 (H, W, 3); and
        the alpha channel, uint8 (H, W), or None.
    """
    image = upright(image)
    profile = image.info.get("icc_profile")
    if image.mode in _DEEP and not profile:
        return np.rint(65535 * _deep_to_unit(image)).astype(np.uint16), None
    colors, alpha = split_alpha(image)
    if colors.mode != "L" or _transform_for(colors, profile):
        colors = to_srgb(colors, profile)
    return np.array(colors), None if alpha is None else np.array(alpha)


def upright(image: Image.Image) -> Image.Image:
    """Decode an image and turn it as its EXIF orientation says."""
    decoding.decode(image)  # before EXIF is read; and PIL turns a TIFF by itself while it decodes
    turn = _TURN.get(exif.orientation(image))
    return image if turn is None else image.transpose(turn)


def split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Split an image of any mode into its colors, in mode 'L', 'RGB' or 'CMYK', and its alpha, 'L' or None."""
    if image.mode in _DEEP:
        return Image.fromarray(to_bytes(_deep_to_unit(image))), None
    if image.mode == "CMYK":
        return image, None
    alpha = None
    if image.has_transparency_data:
        image = image.convert(_PREMULTIPLIED.get(image.mode, image.mode))
        alpha = image.convert("RGBA").getchannel("A")
    if image.mode in _GRAY:
        return image.convert("L"), alpha
    # A palette goes by way of RGBA, because PIL warns of one with transparency otherwise.
    return (image.convert("RGBA") if image.mode in ("P", "PA") else image).convert("RGB"), alpha


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert an image to sRGB.

    Args:
        image: Image in mode 'L', 'RGB' or 'CMYK'.
        profile: ICC profile of its colors. A profile that is broken, or of another color space, is ignored.

    Returns:
        The image in mode 'RGB'.
    """
    transform = _transform_for(image, profile)
    return ImageCms.applyTransform(*transform) if transform else image.convert("RGB")


def to_unit(values: np.ndarray) -> np.ndarray:
    """Scale samples of any type to float32 in [0, 1].

    Integers of 8 and 16 bits are divided by their greatest value. Others, floats included, are divided by the first
    of 1, 255, 65535 and their own maximum that is not below any of them; negative values and NaN become 0.
    """
    if values.dtype in (np.uint8, np.uint16):
        return np.divide(values, np.iinfo(values.dtype).max, dtype=np.float32)
    values = np.nan_to_num(values.astype(np.float32), posinf=1).clip(0)
    greatest = values.max()
    return values / next(scale for scale in (1, 255, 65535, greatest) if greatest <= scale)


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Scale values in [0, 1] to uint8; values outside are clipped."""
    scaled = np.clip(values, 0, 1)
    scaled *= 255  # in place, for a big photograph is 300 MB
    return np.rint(scaled, out=scaled).astype(np.uint8)


def _deep_to_unit(image: Image.Image) -> np.ndarray:
    """Scale a gray image of more than 8 bits to float32 (H, W) in [0, 1]."""
    if not image.mode.startswith("I;16"):
        return to_unit(np.asarray(image))
    values = np.asarray(image).astype(np.float32) / 65535
    white_is_zero = getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0  # PIL itself heeds it at 8 bits only
    return 1 - values if white_is_zero else values


def _transform_for(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, ImageCms.ImageCmsTransform] | None:
    """Return an image in the mode that its profile is for, and the transform to sRGB; None where none is needed."""
    mode, transform = _transform(profile) if profile else ("", None)
    if transform and (mode == image.mode or (mode, image.mode) == ("RGB", "L")):
        return image.convert(mode), transform
    return None


@lru_cache(maxsize=16)
def _transform(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """Return the PIL mode that an ICC profile is for and its transform to sRGB; None if it is broken or is sRGB."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _PROFILED[source.profile.xcolor_space.strip()]
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, KeyError):  # no color space that PIL knows is a KeyError
        return "", None
    cube = (np.indices((9, 9, 9)).reshape(3, 27, 27).transpose(1, 2, 0) * 255 // 8).astype(np.uint8)
    probe = Image.fromarray(cube).convert(mode)
    moved = np.abs(np.subtract(probe.convert("RGB"), ImageCms.applyTransform(probe, transform), dtype=np.int16))
    return mode, transform if moved.max() > 2 else None  # most profiles are sRGB by some name: save the work
