"""EXIF metadata: the orientation of a photograph, and what is still true of its colored copy.

Read it after `decoding.decode`, for Pillow decodes a PNG to look for EXIF behind the pixels. A broken block does not
make a photograph unreadable: it counts as missing.
"""

from PIL import ExifTags, Image

_KEPT = [ExifTags.Base[name] for name in "ImageDescription Make Model Software DateTime Artist Copyright".split()]
_STALE = {ExifTags.Base[name] for name in "MakerNote ColorSpace ExifImageWidth ExifImageHeight".split()}
_STALE.add(ExifTags.IFD.Interop)


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) if it is missing, unknown or broken."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # parsers of broken blocks raise nearly anything
        return 1
    return found if found in range(1, 9) else 1


def copyable(image: Image.Image) -> bytes | None:
    """Return what the camera and the author wrote; None if there is nothing or if it is broken.

    The rest describes the old file: the strips of a TIFF, a gray thumbnail, an orientation that is applied already.
    """
    try:
        source, kept = image.getexif(), Image.Exif()
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
