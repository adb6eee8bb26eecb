"""Photograph files of any kind, read and written: the one place that knows of EXIF, ICC, CMYK, palettes and alpha."""

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from colorgan.errors import UserError
from colorgan.imaging import decoding, exif, limits, pixels, tiff
from colorgan.imaging.exif import with_resolution
from colorgan.imaging.formats import DECODED, HOLDS_ALPHA, SUFFIXES

_SAVE = {
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "PNG": {},
    "WEBP": {"quality": 95, "use_sharp_yuv": True},  # lossy WebP halves the chroma: sharp YUV keeps the lightness
    "TIFF": {},  # uncompressed, because PIL fails to compress a TIFF that carries EXIF
    "BMP": {},
}
_EXIF_LIMIT = 65_000  # bytes: a JPEG holds one segment of 64 KiB
_WIDTH, _LENGTH = 256, 257  # TIFF tags


@dataclass
class Photograph:
    """A photograph as it is meant to be seen: upright and in sRGB, with the alpha channel apart."""

    levels: np.ndarray  # gray (H, W), uint8 or uint16, or sRGB (H, W, 3), uint8
    alpha: np.ndarray | None = None  # uint8 (H, W)
    exif: bytes | None = None  # without the orientation, which is applied
    dpi: tuple[float, float] | None = None  # resolution across and down, in dots per inch
    has_more: bool = False  # further pages or frames, which are not read
    format: str = "PNG"  # of the file's contents, whatever its suffix: 'JPEG', 'PNG', 'WEBP', 'TIFF', 'BMP', 'GIF', ...

    @property
    def rgb(self) -> np.ndarray:
        """The pixels as sRGB, float32 (H, W, 3) in [0, 1]."""
        unit = pixels.to_unit(self.levels)
        return unit if unit.ndim == 3 else np.repeat(unit[..., None], 3, axis=2)


def read(path: str | Path) -> Photograph:
    """Read a photograph from a file of any format; from several pages or frames, the first.

    16-bit gray keeps its depth, 16-bit color is read at 8 bits, floats are scaled as in `pixels.to_unit`.

    A file that its decoder or a checksum shows to be broken is refused. PNG and deflated TIFF have checksums of their
    pixels. JPEG, WebP, BMP, GIF and other TIFFs have none: where the decoder itself fills broken parts with garbage,
    the result cannot be told from a picture.

    Args:
        path: Path of the file.

    Returns:
        The photograph, upright and in sRGB. A broken EXIF block or ICC profile counts as missing.

    Raises:
        UserError: If the file is missing, broken, truncated, no photograph, or too big.
    """
    with opened(path) as image:
        kind = "JPEG" if image.format == "MPO" else image.format
        levels, alpha = pixels.to_levels_alpha(image)
        return Photograph(levels, alpha, exif.copyable(image), exif.resolution(image), has_more(image), kind)


def write(
    path: str | Path,
    rgb: np.ndarray,
    alpha: np.ndarray | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> None:
    """Write a picture at 8 bits, in the format that the path's suffix names.

    The file appears whole or not at all. Missing folders are made.

    Args:
        path: Path that ends in one of SUFFIXES.
        rgb: sRGB values (H, W, 3), uint8, or floats in [0, 1].
        alpha: Opacity, uint8 (H, W). JPEG and BMP have no alpha channel: the picture is laid on white.
        exif: EXIF block, as in `Photograph`. Left out if it is too long for the format.
        dpi: Resolution, as in `Photograph`. JPEG rounds it; WebP has no place for it but EXIF.

    Raises:
        UserError: If the suffix is unknown, the picture holds NaN, or the file cannot be written.
    """
    path = Path(path)
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path}: unknown suffix; write to one of {' '.join(SUFFIXES)}")
    if rgb.dtype != np.uint8 and not np.isfinite(rgb).all():
        raise UserError(f"{path}: not written, the picture holds NaN or infinite values")
    if alpha is not None and kind not in HOLDS_ALPHA:
        rgb = rgb if rgb.dtype != np.uint8 else pixels.to_unit(rgb)
        rgb, alpha = 1 + (rgb - 1) * (alpha[..., None] / 255), None
    image = Image.fromarray(rgb if rgb.dtype == np.uint8 else pixels.to_bytes(rgb))
    if alpha is not None:
        image.putalpha(Image.fromarray(alpha))
    block = with_resolution(exif, dpi) if dpi and kind == "WEBP" else exif
    options = _SAVE[kind] | ({"exif": block} if block and len(block) < _EXIF_LIMIT else {})
    options |= {"dpi": dpi} if dpi and kind != "WEBP" else {}
    part = path.parent / f".{secrets.token_hex(8)}.part"  # hidden, in the same folder: os.replace is atomic there
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(part, format=kind, **options)
        os.replace(part, path)
    except Exception as error:  # OSError of the disk; encoders raise anything, of too many pixels a side, say
        raise UserError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from error
    finally:
        with suppress(OSError):  # after os.replace, or before anything is written, there is no such file
            part.unlink()


@contextmanager
def opened(path: str | Path) -> Iterator[Image.Image]:
    """Open an image as Pillow has it, its colors as they are stored; most callers want `read` or `thumbnail`.

    Raises:
        UserError: Whatever goes wrong while it is open, as in `read`.
    """
    try:
        with decoding.pillow_settings(), _identify(path) as image:
            yield image
    except Exception as error:  # on broken files decoders raise nearly anything, SyntaxError and KeyError included
        raise UserError(f"{path}: {decoding.describe(error)}") from error


def thumbnail(path: str | Path, size: int, exact: bool = False) -> np.ndarray:
    """Read the central square of a photograph, scaled to `size` pixels a side.

    Args:
        path: Path of the file.
        size: Side of the square, in pixels.
        exact: Whether to decode a big JPEG at its full size, so that the result equals that of the same pixels in
            another format. Otherwise it is decoded at a fraction of its size, which is several times faster and
            shifts colors by about 0.7 Lab units.

    Returns:
        The square, upright and in sRGB, uint8 (3, size, size).

    Raises:
        UserError: As in `read`.
    """
    with opened(path) as image:
        if not exact:
            image.draft(None, (size, size))  # JPEG decodes at 1/2, 1/4 or 1/8 for next to nothing; others ignore it
        return thumbnail_of(image, size)


def thumbnail_from(content: bytes, name: str, size: int) -> np.ndarray:
    """Scale the central square of a photograph in memory, as `thumbnail` does; every format but TIFF.

    Args:
        content: The bytes of the file.
        name: Name of the file, for the message of an error.
        size: Side of the square, in pixels.

    Returns:
        The square, upright and in sRGB, uint8 (3, size, size).

    Raises:
        UserError: As in `read`.
    """
    try:
        with decoding.pillow_settings(), Image.open(io.BytesIO(content)) as image:
            image.draft(None, (size, size))
            return thumbnail_of(image, size)
    except Exception as error:
        raise UserError(f"{name}: {decoding.describe(error)}") from error


def thumbnail_of(image: Image.Image, size: int) -> np.ndarray:
    """Scale the central square of a PIL image, as `thumbnail` does.

    Args:
        image: Image of any mode.
        size: Side of the square, in pixels.

    Returns:
        The square, upright and in sRGB, uint8 (3, size, size).
    """
    image = pixels.upright(image)
    colors, _ = pixels.split_alpha(image)
    width, height = colors.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    square = colors.resize((size, size), Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)
    rgb = pixels.to_srgb(square, image.info.get("icc_profile"))
    return np.ascontiguousarray(np.asarray(rgb).transpose(2, 0, 1))


def shape(path: str | Path) -> tuple[int, int]:
    """Return the height and width of an upright photograph, if possible without decoding it.

    Raises:
        UserError: As in `read`, except that broken pixels may go unnoticed.
    """
    with opened(path) as image:
        tags = getattr(image, "tag_v2", None)
        width, height = (tags[_WIDTH], tags[_LENGTH]) if tags else image.size  # PIL turns the size of a TIFF by itself
        if image.format == "PNG" and "exif" not in image.info:
            decoding.decode(image)  # the EXIF block may come after the pixels
        return (width, height) if exif.orientation(image) >= 5 else (height, width)


def suffix(path: str | Path) -> str:
    """Return the suffix under which to write a picture that was read from `path`.

    Returns:
        The file's own suffix if it is one of SUFFIXES, else that of the file's format, else '.png'.
    """
    path = Path(path)
    if path.suffix.lower() in SUFFIXES:
        return path.suffix
    try:
        limits.require_regular(path)
        with decoding.pillow_settings(), Image.open(path) as image:
            known = {kind: ending for ending, kind in reversed(SUFFIXES.items())} | {"MPO": ".jpg"}
            return known.get(image.format, ".png")
    except Exception:  # no pixels come from here: `read` raises the same error
        return ".png"


def _identify(path: str | Path) -> Image.Image:
    """Open an image by Pillow, or a TIFF that Pillow cannot read by tifffile."""
    limits.require_regular(path)
    with open(path, "rb") as file:
        is_tiff = file.read(4) in tiff.HEADS
        if is_tiff:
            limits.require_tags_within(file)
    try:
        image = Image.open(path)
    except UnidentifiedImageError:
        if not is_tiff:
            raise
        return tiff.read(path)
    if image.format not in DECODED:
        image.close()
        raise UnidentifiedImageError
    if tiff.is_misread(image):
        image.close()
        return tiff.read(path)
    return image


def has_more(image: Image.Image) -> bool:
    """Return whether a decoded image has further pages or frames that are pictures of their own."""
    if image.format == "MPO":  # a phone's JPEG, which carries a smaller or a second view
        return False
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a GIF looks for its second frame, which may be broken
        return True
