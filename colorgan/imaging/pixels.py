"""Pixels of any PIL mode made honest: upright, sRGB, alpha apart. `images` reads and writes files with it."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from PIL import ExifTags, Image, ImageCms

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


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps PIL's warnings down: a photograph with an odd EXIF block is a photograph.

    Filters of warnings belong to the whole process, so hold this around threads that read.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def planes(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """An image of any mode as rgb float32 (H, W, 3) in [0, 1], upright and in sRGB, and alpha uint8 (H, W) or None."""
    image = upright(image)
    profile = image.info.get("icc_profile")
    if image.mode in _DEEP and not profile:
        return np.repeat(_deep(image)[..., None], 3, axis=2), None
    solid, alpha = opaque(image)
    return to_unit(np.asarray(srgb(solid, profile))), None if alpha is None else np.array(alpha)


def upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF orientation says; a broken EXIF block turns nothing."""
    image.load()  # first, because PIL turns a TIFF by itself while it loads
    try:
        turn = _TURN.get(image.getexif().get(ExifTags.Base.Orientation))
    except Exception:  # a broken block raises nearly anything
        return image
    return image if turn is None else image.transpose(turn)


def opaque(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """A picture in 'L', 'RGB' or 'CMYK' and its alpha in 'L' or None, out of any mode."""
    if image.mode in _DEEP:
        return Image.fromarray(to_bytes(_deep(image))), None
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


def srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """An 'L', 'RGB' or 'CMYK' image as 'RGB' in sRGB; a profile that is broken or of other colors is ignored."""
    mode, transform = _transform(profile) if profile else ("", None)
    if transform and (mode == image.mode or (mode, image.mode) == ("RGB", "L")):
        return ImageCms.applyTransform(image.convert(mode), transform)
    return image.convert("RGB")


def to_unit(values: np.ndarray) -> np.ndarray:
    """Samples of any type as float32 in [0, 1].

    Floats (and 32-bit integers) are divided by the first of 1, 255, 65535 and their greatest that holds them all.
    """
    if values.dtype in (np.uint8, np.uint16):
        return np.divide(values, np.iinfo(values.dtype).max, dtype=np.float32)
    values = np.nan_to_num(values.astype(np.float32), posinf=1).clip(0)
    greatest = values.max()
    return values / next(scale for scale in (1, 255, 65535, greatest) if greatest <= scale)


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Values in [0, 1] as uint8; what lies outside is clipped."""
    scaled = np.clip(values, 0, 1)
    scaled *= 255  # in place, for a big photograph is 300 MB
    return np.rint(scaled, out=scaled).astype(np.uint8)


def _deep(image: Image.Image) -> np.ndarray:
    """A gray image of more than 8 bits as float32 (H, W) in [0, 1]."""
    if not image.mode.startswith("I;16"):
        return to_unit(np.asarray(image))
    values = np.asarray(image).astype(np.float32) / 65535
    white_is_zero = getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0  # PIL itself heeds it at 8 bits only
    return 1 - values if white_is_zero else values


@lru_cache(maxsize=16)
def _transform(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """The mode that an ICC profile speaks of and its way to sRGB; None where it is broken, or sRGB already."""
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
    except (ImageCms.PyCMSError, OSError, KeyError):
        return "", None
    cube = (np.indices((9, 9, 9)).reshape(3, 27, 27).transpose(1, 2, 0) * 255 // 8).astype(np.uint8)
    probe = Image.fromarray(cube).convert(mode)
    moved = np.abs(np.subtract(probe.convert("RGB"), ImageCms.applyTransform(probe, transform), dtype=np.int16))
    return mode, transform if moved.max() > 2 else None  # most profiles are sRGB by some name: save the work
