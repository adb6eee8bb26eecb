"""Photographs of any kind, read and written: EXIF, ICC, CMYK, palettes, 16 bits and alpha are dealt with here alone."""

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from PIL import ExifTags, Image, UnidentifiedImageError

from colorgan.errors import UserError
from colorgan.imaging import pixels
from colorgan.imaging.arrays import unpack

__all__ = ["SUFFIXES", "Photograph", "read", "shape", "suffix", "thumbnail", "thumbnail_of", "unpack", "write"]

# The recognized suffixes, in lower case, and the format that `write` gives each.
SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}

_SAVE = {
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "PNG": {},
    "WEBP": {"quality": 95, "use_sharp_yuv": True},  # lossy WebP halves the chroma: sharp YUV keeps the lightness
    "TIFF": {},  # uncompressed, because PIL fails to compress a TIFF that carries EXIF
    "BMP": {},
}
_HOLDS_ALPHA = {"PNG", "WEBP", "TIFF"}
_TIFF_HEADS = {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}  # the first bytes of a TIFF or BigTIFF
_PLANAR, _BITS, _WIDTH, _LENGTH = 284, 258, 256, 257  # TIFF tags: planes apart (2), bits a sample, columns, rows

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what matters of a broken file comes as an exception

# What survives of an EXIF block. The rest describes the old file (a TIFF's strips, a gray thumbnail, the orientation).
_EXIF_KEPT = [ExifTags.Base[name] for name in "ImageDescription Make Model Software DateTime Artist Copyright".split()]
_EXIF_STALE = {ExifTags.Base[name] for name in "MakerNote ColorSpace ExifImageWidth ExifImageHeight".split()}
_EXIF_STALE.add(ExifTags.IFD.Interop)
_EXIF_LIMIT = 65_000  # bytes: a JPEG holds one segment of 64 KiB


@dataclass
class Photograph:
    """A photograph as people see it: upright, in sRGB, its alpha apart."""

    rgb: np.ndarray  # float32 (H, W, 3) in [0, 1]
    alpha: np.ndarray | None = None  # uint8 (H, W)
    exif: bytes | None = None  # without the orientation, which is applied
    format: str = "PNG"  # what the file is, whatever its suffix says: 'JPEG', 'PNG', 'WEBP', 'TIFF', 'BMP', 'GIF', ...


def read(path: str | Path) -> Photograph:
    """Reads any photograph; of several pages or frames the first.

    16-bit gray keeps its depth, 16-bit color is read at 8 bits, floats are scaled as `pixels.to_unit` says.

    Raises:
        UserError: The file is missing, broken, truncated, no photograph, or too big to be one.
    """
    with _open(path) as image:
        kind = "JPEG" if image.format == "MPO" else image.format  # MPO: a phone's JPEG that carries further frames
        exif = _exif(image)
        return Photograph(*pixels.planes(image), exif, kind)


def write(path: str | Path, rgb: np.ndarray, alpha: np.ndarray | None = None, exif: bytes | None = None) -> None:
    """Writes a picture at 8 bits in the format of the path's suffix, all or nothing; makes its folder if need be.

    Args:
        path: Ends in one of SUFFIXES.
        rgb: (H, W, 3) in [0, 1], sRGB.
        alpha: uint8 (H, W). JPEG and BMP cannot hold it: there the picture is laid on white.
        exif: As in Photograph; left out where it does not fit.

    Raises:
        UserError: The suffix is unknown, the picture holds NaN, or the disk or the format refuses it.
    """
    path = Path(path)
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path}: unknown suffix; write to one of {' '.join(SUFFIXES)}")
    if not np.isfinite(rgb).all():
        raise UserError(f"{path}: not written, the picture holds NaN or infinite values")
    if alpha is not None and kind not in _HOLDS_ALPHA:
        rgb, alpha = 1 + (rgb - 1) * (alpha[..., None] / 255), None
    image = Image.fromarray(pixels.to_bytes(rgb))
    if alpha is not None:
        image.putalpha(Image.fromarray(alpha))
    options = _SAVE[kind] | ({"exif": exif} if exif and len(exif) < _EXIF_LIMIT else {})
    part = path.parent / f".{secrets.token_hex(8)}.part"  # hidden, in the same folder: os.replace is atomic there
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(part, format=kind, **options)
        os.replace(part, path)
    except Exception as error:  # OSError of the disk; encoders raise anything, of too many pixels a side, say
        raise UserError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from error
    finally:
        with suppress(OSError):  # it is gone, as it should be, or was never there
            part.unlink()


def thumbnail(path: str | Path, size: int, exact: bool = False) -> np.ndarray:
    """The center of a photograph for training: uint8 (3, size, size), upright, sRGB, the short side scaled to `size`.

    Args:
        path: Of the photograph.
        size: Of both sides, in pixels.
        exact: A big JPEG gives what the same pixels in another format give; else it is decoded at a part of its size,
            which is several times faster and moves colors by 0.7 Lab units or so.

    Raises:
        UserError: As `read`.
    """
    with _open(path) as image:
        if not exact:
            image.draft(None, (size, size))  # JPEG decodes at 1/2, 1/4 or 1/8 for next to nothing; others ignore it
        return thumbnail_of(image, size)


def thumbnail_of(image: Image.Image, size: int) -> np.ndarray:
    """As `thumbnail`, of an image that PIL holds already."""
    image = pixels.upright(image)
    opaque, _ = pixels.opaque(image)
    width, height = opaque.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    square = opaque.resize((size, size), Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)
    rgb = pixels.srgb(square, image.info.get("icc_profile"))
    return np.ascontiguousarray(np.asarray(rgb).transpose(2, 0, 1))


def shape(path: str | Path) -> tuple[int, int]:
    """Height and width of a photograph as people see it, from the file's head alone.

    Raises:
        UserError: As `read`, but for pixels that are broken.
    """
    with _open(path) as image:
        tags = getattr(image, "tag_v2", None)
        width, height = (tags[_WIDTH], tags[_LENGTH]) if tags else image.size  # PIL turns the size of a TIFF by itself
        try:
            turned = image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
        except Exception:  # as for `pixels.upright`, a broken block turns nothing
            turned = False
        return (width, height) if turned else (height, width)


def suffix(path: str | Path) -> str:
    """The suffix to write a picture under that is named and made like this file: a known one, else '.png'."""
    path = Path(path)
    if path.suffix.lower() in SUFFIXES:
        return path.suffix
    try:
        with pixels.quiet(), Image.open(path) as image:
            known = {kind: ending for ending, kind in reversed(SUFFIXES.items())} | {"MPO": ".jpg"}
            return known.get(image.format, ".png")
    except Exception:  # whatever is wrong with the file, `read` is going to say it
        return ".png"


@contextmanager
def _open(path: str | Path) -> Iterator[Image.Image]:
    """An open image; whatever goes wrong inside becomes a UserError that names the file."""
    try:
        with pixels.quiet(), _identify(path) as image:
            yield image
    except Exception as error:  # on broken files decoders raise nearly anything, SyntaxError and KeyError included
        raise UserError(f"{path}: {_reason(error)}") from error


def _identify(path: str | Path) -> Image.Image:
    """What PIL makes of a file, or tifffile of a TIFF where PIL cannot."""
    try:
        image = Image.open(path)
    except UnidentifiedImageError:
        with open(path, "rb") as file:
            if file.read(4) not in _TIFF_HEADS:
                raise
        return _tiff(path)
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PLANAR) == 2 and max(tags.get(_BITS, (8,))) > 8 and image.info["compression"] == "raw":
        image.close()  # PIL 13 reads such planes of 16 bits as 8 bits, and says nothing
        return _tiff(path)
    return image


def _tiff(path: str | Path) -> Image.Image:
    """A TIFF of any samples (color in floats, say) at 8 bits by way of tifffile."""
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        if page.imagewidth * page.imagelength > 2 * Image.MAX_IMAGE_PIXELS:
            raise Image.DecompressionBombError
        values, tags = page.asarray(), {tag.name: tag.value for tag in page.tags}
    if page.axes == "SYX":
        values = np.moveaxis(values, 0, -1)
    image = Image.fromarray(pixels.to_bytes(pixels.to_unit(values if values.ndim == 2 else values[..., :3])))
    image.format, image.info["icc_profile"] = "TIFF", tags.get("InterColorProfile")
    image.getexif()[ExifTags.Base.Orientation] = int(tags.get("Orientation", 1))
    return image


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not a photograph, or one of an unknown kind"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {2 * Image.MAX_IMAGE_PIXELS // 10**6} million pixels: shrink it first"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"truncated or broken ({' '.join(str(error).split()) or type(error).__name__})"


def _exif(image: Image.Image) -> bytes | None:
    """The camera's own words out of an image's EXIF block; None where there are none or they are broken."""
    try:
        source, kept = image.getexif(), Image.Exif()
        for tag in _EXIF_KEPT:
            if tag in source:
                kept[tag] = source[tag]
        for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            values = {tag: value for tag, value in source.get_ifd(ifd).items() if tag not in _EXIF_STALE}
            if values:
                kept[ifd] = values
        return kept.tobytes() if len(kept) else None
    except Exception:  # tags of any type at all: none is worth a photograph
        return None
