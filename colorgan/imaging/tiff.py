"""TIFFs that Pillow cannot read, such as color in floats, read by tifffile."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from colorgan.imaging import limits, pixels

HEADS = {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}  # the first bytes of a TIFF or BigTIFF
_BYTES = 1 << 30  # of the pixels of a page: they are copied several times
_PLANAR, _BITS = 284, 258  # tags: channels stored one after the other (2), bits per sample


def is_misread(image: Image.Image) -> bool:
    """Whether Pillow opens a TIFF but gets its pixels wrong: Pillow 13 reads raw planes of 16 bits as 8 bits."""
    tags = getattr(image, "tag_v2", {})
    return tags.get(_PLANAR) == 2 and max(tags.get(_BITS, (8,))) > 8 and image.info["compression"] == "raw"


def read(path: str | Path) -> Image.Image:
    """Read the first page of a TIFF.

    Returns:
        The pixels at 8 bits, with the file's ICC profile and orientation.

    Raises:
        Exception: Of nearly any type, if the file is broken; `decoding.describe` words it.
    """
    import tifffile  # here, because it is slow to import and few photographs need it

    with _errors_raised(), tifffile.TiffFile(path) as file:
        page = file.pages[0]
        if page.imagewidth * page.imagelength > 2 * Image.MAX_IMAGE_PIXELS:
            raise Image.DecompressionBombError
        if 0 in page.shape:
            raise OSError("no pixels")
        if page.nbytes > _BYTES:
            raise limits.BombError(f"{page.nbytes >> 20} MiB of pixels: shrink it first")
        if page.dtype.itemsize == 1:
            raise OSError("8-bit samples that Pillow refuses")  # it reads all that are whole
        if 0 in (*page.dataoffsets, *page.databytecounts):
            raise OSError("missing strips or tiles")  # tifffile fills them with zeros
        limits.require_apart(file.filehandle, page.databytecounts)
        values, tags, further = page.asarray(), {tag.name: tag.value for tag in page.tags}, len(file.pages) > 1
    if page.axes == "SYX":
        values = np.moveaxis(values, 0, -1)
    image = Image.fromarray(pixels.to_bytes(pixels.to_unit(values if values.ndim == 2 else values[..., :3])))
    image.format, image.info["icc_profile"] = "TIFF", tags.get("InterColorProfile")
    image.is_animated = further  # as Pillow has it
    _keep_resolution(image, tags)
    image.getexif()[ExifTags.Base.Orientation] = int(tags.get("Orientation", 1))
    return image


def _keep_resolution(image: Image.Image, tags: dict) -> None:
    scale = {2: 1, 3: 2.54}.get(int(tags.get("ResolutionUnit", 2)))  # inches, centimeters
    ratios = [tags.get(name) for name in ("XResolution", "YResolution")]
    if scale and all(isinstance(ratio, tuple) and len(ratio) == 2 and ratio[1] for ratio in ratios):
        image.info["dpi"] = tuple(scale * above / below for above, below in ratios)


@contextmanager
def _errors_raised() -> Iterator[None]:
    """Raise what tifffile logs as an error, for it goes on with part of the tags or pixels; drop its warnings."""

    def check(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR or "segments" in record.msg:
            raise OSError(record.getMessage())
        return False

    logger = logging.getLogger("tifffile")
    logger.addFilter(check)
    try:
        yield
    finally:
        logger.removeFilter(check)
