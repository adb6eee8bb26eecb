"""Decoding of image files, whole or not at all: checks what Pillow does not, and never decodes a broken file twice."""

import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile, UnidentifiedImageError

_BLOCK = 1 << 20  # bytes read at a time
_COMPRESSION, _FILL_ORDER = 259, 266  # TIFF tags
_DEFLATE = {8, 32946}  # values of _COMPRESSION
_SEGMENTS = ((273, 279), (324, 325))  # TIFF tags: offsets and byte counts of strips, and of tiles


@contextmanager
def pillow_settings() -> Iterator[None]:
    """Set Pillow to read odd metadata without a warning and to refuse truncated pixels.

    Both settings belong to the whole process, so hold this around threads that read.
    """
    tolerant = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # other libraries set it, and then missing pixels become gray ones
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerant


def decode(image: Image.Image) -> None:
    """Decode the pixels of a lazily opened image in place. Does nothing to an image that is decoded already.

    Call this before anything else that may decode, such as `getexif` of a PNG. After a failed `load`, Pillow takes
    the pixels for decoded and returns them, usually black, from the next call. So a broken image is closed here:
    whoever asks again gets an error.

    Raises:
        Exception: Of nearly any type, if the file is broken; `describe` words it.
    """
    try:
        if getattr(image, "tile", None):
            if image.fp is None:
                raise ValueError("Operation on closed image")
            if image.format == "PNG":
                _check_png(image)
            if image.format == "TIFF":
                _check_tiff(image)
        image.load()
    except Exception:
        image.close()
        raise


def describe(error: Exception) -> str:
    """Word what went wrong with an image file, in one line."""
    if isinstance(error, UnidentifiedImageError):
        return "not a photograph, or one of an unknown kind"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {2 * Image.MAX_IMAGE_PIXELS // 10**6} million pixels: shrink it first"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"truncated or broken ({' '.join(str(error).split()) or type(error).__name__})"


def _check_png(image: ImageFile.ImageFile) -> None:
    """Raise if the data chunks fail their checksums; Pillow compares those of the other chunks only.

    A file that ends after the pixels is whole: `IEND` and even the last checksum may be missing.
    """
    file = image.fp
    file.seek(image.tile[0][2] - 8)  # the head of the first data chunk
    while (head := file.read(8))[4:] == b"IDAT":
        left, checksum = int.from_bytes(head[:4], "big"), zlib.crc32(b"IDAT")
        while left:
            block = file.read(min(left, _BLOCK))
            if not block:
                raise OSError("image file is truncated")
            left, checksum = left - len(block), zlib.crc32(block, checksum)
        expected = file.read(4)
        if len(expected) == 4 and int.from_bytes(expected, "big") != checksum:
            raise OSError("wrong checksum of the pixels")


def _check_tiff(image: ImageFile.ImageFile) -> None:
    """Raise if tags are cut off or if a deflated strip or tile fails its checksum."""
    tags = image.tag_v2
    if tags.next == tags._offset:  # not moved on: Pillow has met the end of the file, warned, and left tags out
        raise OSError("image file is truncated")
    if tags.get(_COMPRESSION) not in _DEFLATE or tags.get(_FILL_ORDER, 1) != 1:
        return
    for offsets, counts in _SEGMENTS:
        for offset, count in zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False):
            image.fp.seek(offset)
            _check_deflated(image.fp.read(count))


def _check_deflated(data: bytes) -> None:
    """Raise if a zlib stream fails its checksum, which libtiff does not reach: it stops when it has its pixels."""
    stream = zlib.decompressobj()
    while data and not stream.eof:
        stream.decompress(data, _BLOCK)
        data = stream.unconsumed_tail
    if not stream.eof:
        raise OSError("image file is truncated")
