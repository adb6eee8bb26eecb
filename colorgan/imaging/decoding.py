"""Decoding of image files, whole or not at all: checks what Pillow does not, and never decodes a broken file twice."""

import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile, PngImagePlugin, UnidentifiedImageError

from colorgan.imaging import limits

_BLOCK = 1 << 20  # bytes read at a time
_COMPRESSION, _FILL_ORDER = 259, 266  # TIFF tags
_DEFLATE = {8, 32946}  # values of _COMPRESSION
_TOO_MUCH_METADATA = ("MAX_TEXT_CHUNK", "Too much memory used in text chunks")  # in errors of Pillow
_METADATA = 1 << 24  # bytes of one block of a PNG's metadata when inflated; color profiles of printers have millions
_SEGMENTS = ((273, 279), (324, 325))  # TIFF tags: offsets and byte counts of strips, and of tiles


@contextmanager
def pillow_settings() -> Iterator[None]:
    """Set Pillow to read odd and long metadata without a warning and to refuse truncated pixels.

    The settings belong to the whole process, so hold this around threads that read.
    """
    tolerant, longest = ImageFile.LOAD_TRUNCATED_IMAGES, PngImagePlugin.MAX_TEXT_CHUNK
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # other libraries set it, and then missing pixels become gray ones
    PngImagePlugin.MAX_TEXT_CHUNK = max(longest, _METADATA)  # of Pillow: 1 MiB, for color profiles too
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES, PngImagePlugin.MAX_TEXT_CHUNK = tolerant, longest


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
            if image.format in ("JPEG", "MPO"):
                scale = image.decoderconfig[0] if image.decoderconfig else 1  # by which `draft` makes it smaller
                limits.require_few_scans(image.fp, image.width * image.height * scale**2)
        image.load()
        if 0 in image.size:
            raise OSError("no pixels")
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
    if isinstance(error, limits.BombError):
        return str(error)
    if isinstance(error, MemoryError):
        return "too large for the memory of this machine"
    if isinstance(error, ValueError) and any(words in str(error) for words in _TOO_MUCH_METADATA):
        return f"metadata of more than {_METADATA >> 20} MiB: remove it first"
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
    for _, counts in _SEGMENTS:
        limits.require_apart(image.fp, tags.get(counts, ()))
    if tags.get(_COMPRESSION) not in _DEFLATE or tags.get(_FILL_ORDER, 1) != 1:
        return
    left = limits.inflated_bytes(tags)
    for offsets, counts in _SEGMENTS:
        for offset, count in zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False):
            image.fp.seek(offset)
            left -= _check_deflated(image.fp.read(count), left)


def _check_deflated(data: bytes, most: int) -> int:
    """Inflate a zlib stream to its checksum, which libtiff does not reach: it stops when it has its pixels.

    Returns:
        The number of bytes.

    Raises:
        OSError: The stream is cut off, or holds more than `most` bytes.
        zlib.error: It is broken.
    """
    stream, count = zlib.decompressobj(), 0
    while data and not stream.eof:
        count += len(stream.decompress(data, _BLOCK))
        if count > most:
            raise limits.BombError("compressed data of many times its pixels")
        data = stream.unconsumed_tail
    if not stream.eof:
        raise OSError("image file is truncated")
    return count
