"""EXIF metadata: the orientation of a photograph, and what is still true of its colored copy.

Read it after `decoding.decode`, for Pillow decodes a PNG to look for EXIF behind the pixels. A broken block does not
make a photograph unreadable: it counts as missing.
"""

import io
import math

from PIL import ExifTags, Image

from colorgan.imaging import limits

_KEPT = [ExifTags.Base[name] for name in "ImageDescription Make Model Software DateTime Artist Copyright".split()]
_STALE = {ExifTags.Base[name] for name in "MakerNote ColorSpace ExifImageWidth ExifImageHeight".split()}
_MOST_DPI = 65535  # that a JPEG holds
_STALE.add(ExifTags.IFD.Interop)


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) if it is missing, unknown or broken."""
    try:
        found = _block(image).get(ExifTags.Base.Orientation)
    except Exception:  # parsers of broken blocks raise nearly anything
        return 1
    return found if found in range(1, 9) else 1


def copyable(image: Image.Image) -> bytes | None:
    """Return what the camera and the author wrote; None if there is nothing or if it is broken.

    The rest describes the old file: the strips of a TIFF, a gray thumbnail, an orientation that is applied already.
    """
    try:
        source, kept = _block(image), Image.Exif()
        for tag in _KEPT:
            if tag in source:
                kept[tag] = source[tag]
        for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            values = {tag: value for tag, value in source.get_ifd(ifd).items() if tag not in _STALE}
            if values:
                kept[ifd] = values
        return kept.tobytes() if len(kept) else None
    except Exception:  # as in `orientation`; and values of any type fail to be written
        return None


def resolution(image: Image.Image) -> tuple[float, float] | None:
    """Return the resolution of a picture in dots per inch, across and down; None if there is none, or none that is."""
    try:
        found = image.info.get("dpi")
        if found is None:  # WebP and AVIF have no other place than EXIF
            block = _block(image)
            scale = {2: 1, 3: 2.54}[block.get(ExifTags.Base.ResolutionUnit, 2)]
            found = [scale * block[tag] for tag in (ExifTags.Base.XResolution, ExifTags.Base.YResolution)]
        across, down = (round(float(value), 2) for value in found)  # PNG and BMP store dots per meter
    except Exception:  # as in `orientation`
        return None
    valid = all(math.isfinite(value) and 1 <= value <= _MOST_DPI for value in (across, down))
    turned = orientation(image) >= 5
    return ((down, across) if turned else (across, down)) if valid else None


def with_resolution(block: bytes | None, dpi: tuple[float, float]) -> bytes:
    """Return an EXIF block with a resolution."""
    exif = Image.Exif()
    if block:
        exif.load(block)
    exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = dpi
    exif[ExifTags.Base.ResolutionUnit] = 2
    return exif.tobytes()


def _block(image: Image.Image) -> Image.Exif:
    """Return the EXIF tags of an image.

    Raises:
        Exception: The block is broken, or a bomb.
    """
    if block := image.info.get("exif"):
        limits.require_tags_within(io.BytesIO(block.removeprefix(b"Exif\0\0")))
    return image.getexif()
