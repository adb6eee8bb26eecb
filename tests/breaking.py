"""Whole image files of many formats, and ways to break them."""

import io
import random
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from colorgan.imaging import pixels

WIDTH, HEIGHT = 40, 30


def picture() -> np.ndarray:
    """A smooth picture with a little noise, uint8 (H, W, 3): it is compressed, but not to nothing."""
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((WIDTH, HEIGHT))
    return (np.asarray(smooth) + rng.integers(-6, 7, (HEIGHT, WIDTH, 3))).clip(0, 255).astype(np.uint8)


RGB = picture()
FLOATS = (RGB / 255).astype(np.float32)
PLANES = np.moveaxis(RGB.astype(np.uint16) * 257, -1, 0).copy()


def by_pillow(path: Path) -> Image.Image:
    """What Pillow alone makes of a file; raises where it does."""
    with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
        image.load()
        return Image.fromarray(np.asarray(image.convert("RGB")))


def by_tifffile(path: Path) -> Image.Image:
    """What tifffile alone makes of a TIFF; raises where it does."""
    values = tifffile.imread(path)
    values = np.moveaxis(values, 0, -1) if len(values) == 3 else values
    return Image.fromarray(pixels.to_bytes(pixels.to_unit(values)))


@dataclass
class Whole:
    """A file as it should be."""

    data: bytes
    plain: Callable[[Path], Image.Image] | None = by_pillow  # the decoder that shows no more; None: there are checksums
    start: int = 0  # of the part to corrupt: what lies before it has no checksum

    def cut(self) -> Iterator[bytes]:
        """The file truncated at 20 places, the last ones close to its end."""
        for i in range(18):
            yield self.data[: len(self.data) * i // 18]
        yield self.data[:-30]
        yield self.data[:-5]

    def corrupted(self) -> Iterator[bytes]:
        """The file with 20 runs of 1 to 300 bytes overwritten, by zeros or at random."""
        rng = random.Random(0)
        for i in range(20):
            run = min((1, 8, 30, 100, 300)[i % 5], len(self.data) // 4)
            at = self.start + (len(self.data) - self.start - run) * i // 20
            yield self.data[:at] + (bytes(run) if i % 2 else rng.randbytes(run)) + self.data[at + run :]


def by_pil(kind: str, image: Image.Image | None = None, **options) -> bytes:
    """The bytes of a file that Pillow writes."""
    buffer = io.BytesIO()
    (image or Image.fromarray(RGB)).save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(values: np.ndarray, **options) -> bytes:
    """The bytes of a TIFF that tifffile writes, in strips of 7 rows or in tiles."""
    buffer = io.BytesIO()
    rows = {} if "tile" in options else {"rowsperstrip": 7}
    tifffile.imwrite(buffer, values, photometric="rgb", **rows, **options)
    return buffer.getvalue()


def strips(data: bytes) -> int:
    """Where the pixels of a TIFF begin."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return min(file.pages[0].dataoffsets)


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def interlaced() -> bytes:
    """An interlaced PNG, with its pixels in several chunks; Pillow writes none."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = [b"\0" + row.tobytes() for x, y, dx, dy in passes for row in RGB[y::dy, x::dx]]
    stream = zlib.compress(b"".join(rows))
    chunks = [chunk(b"IDAT", stream[i : i + 1000]) for i in range(0, len(stream), 1000)]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 1))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")


def tags_last(data: bytes) -> bytes:
    """A little-endian TIFF with its tags moved behind the pixels, as libtiff writes them."""
    at = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[at : at + 2], "little")
    return data[:4] + len(data).to_bytes(4, "little") + data[8:] + data[at : at + 2 + 12 * count + 4]


def _wholes() -> dict[str, Whole]:
    gray = np.asarray(Image.fromarray(RGB).convert("L"))
    palette = Image.fromarray(RGB).quantize(64)
    pngs = {
        "rgb.png": by_pil("PNG"),
        "gray.png": by_pil("PNG", Image.fromarray(gray)),
        "16-bit.png": by_pil("PNG", Image.fromarray(gray.astype(np.uint16) * 257)),
        "palette.png": by_pil("PNG", palette),
        "interlaced.png": interlaced(),
    }
    deflated = {
        "deflate.tif": by_pil("TIFF", compression="tiff_adobe_deflate"),
        "deflate-strips.tif": tiff(RGB, compression="zlib", predictor=2),
        "deflate-tiles.tif": tiff(RGB, compression="zlib", tile=(16, 16)),
        "deflate-floats.tif": tiff(FLOATS, compression="zlib"),
        "deflate-planes.tif": tiff(PLANES, compression="zlib", planarconfig="separate"),
    }
    others = {
        "baseline.jpg": by_pil("JPEG"),
        "progressive.jpg": by_pil("JPEG", progressive=True),
        "lossy.webp": by_pil("WEBP"),
        "lossless.webp": by_pil("WEBP", lossless=True),
        "raw.tif": by_pil("TIFF"),
        "raw-strips.tif": tiff(RGB),
        "raw-tiles.tif": tiff(RGB, tile=(16, 16)),
        "raw-tags-last.tif": tags_last(by_pil("TIFF")),
        "big.tif": tiff(RGB, bigtiff=True),
        "lzw.tif": by_pil("TIFF", compression="tiff_lzw"),
        "packbits.tif": by_pil("TIFF", compression="packbits"),
        "rgb.bmp": by_pil("BMP"),
        "palette.gif": by_pil("GIF", palette),
    }
    raw = {
        "floats.tif": tiff(FLOATS),
        "float-tiles.tif": tiff(FLOATS, tile=(16, 16)),
        "planes.tif": tiff(PLANES, planarconfig="separate"),
    }
    return (
        {name: Whole(data, plain=None) for name, data in pngs.items()}
        | {name: Whole(data, plain=None, start=strips(data)) for name, data in deflated.items()}
        | {name: Whole(data) for name, data in others.items()}
        | {name: Whole(data, by_tifffile, strips(data)) for name, data in raw.items()}
    )


WHOLES = _wholes()
