"""Near-duplicates: the same photograph at another size, quality or format, found by a hash of what it looks like.

The hash has the signs of the 64 lowest frequencies of a discrete cosine transform, as pHash does (Zauner,
"Implementation and Benchmarking of Perceptual Image Hash Functions", 2010). Pictures with nearly the same hash are
candidates only: the small gray pictures that the hash is made from have to be nearly equal, too. Flat pictures and
skies have hashes that are alike by chance, and so have some different pictures of any set of many thousands.
"""

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.fft import dctn

BITS = 64
RADIUS = 6  # bits in which the hashes of near-duplicates may differ
TOLERANCE = 6.0  # root mean square difference of their thumbnails, in 8-bit levels
_SIDE = 32  # of the picture that is transformed
_THUMBNAIL = 16  # side of the thumbnail


class Fingerprint(NamedTuple):
    """What near-duplicates have in common."""

    hash: int  # of 64 bits
    thumbnail: bytes  # 16 x 16 gray levels


def fingerprint(image: Image.Image) -> Fingerprint:
    """Return the fingerprint of a PIL image, whatever its size, its proportions included."""
    small = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    waves = dctn(np.asarray(small, dtype=np.float64), norm="ortho")[_LOWEST]
    waves = np.round(waves, 3)  # a flat picture has no waves, but rounding errors
    bits = np.packbits(waves > np.median(waves))
    return Fingerprint(int.from_bytes(bits.tobytes()), small.reduce(_SIDE // _THUMBNAIL).tobytes())


def find_duplicates(fingerprints: Iterable[Fingerprint]) -> list[int | None]:
    """Find the pictures that are near-duplicates of one before them.

    A picture is left out only if it is within the radius of one that is kept, so that no chain of small differences
    leads to a picture that looks different. Kept pictures are looked up by bands of the hash: two hashes that differ in
    at most `RADIUS` bits share at least one of `RADIUS + 1` bands.

    Args:
        fingerprints: of the pictures, those first that are to be kept rather than others.

    Returns:
        For each picture None if it is kept, else the index of the nearest kept one.
    """
    fingerprints = list(fingerprints)
    hashes = np.array([print_.hash for print_ in fingerprints], dtype=np.uint64)
    thumbnails = np.frombuffer(b"".join(print_.thumbnail for print_ in fingerprints), dtype=np.uint8)
    thumbnails = thumbnails.reshape(len(fingerprints), _THUMBNAIL**2)
    tables: list[dict[int, list[int]]] = [defaultdict(list) for _ in range(RADIUS + 1)]
    found: list[int | None] = []
    for i, bands in enumerate(map(_bands, hashes.tolist())):
        near = np.unique([j for table, band in zip(tables, bands, strict=True) for j in table.get(band, ())]).astype(
            int
        )
        distances = np.bitwise_count(hashes[near] ^ hashes[i])
        near = near[distances <= RADIUS]
        errors = np.sqrt(np.square(thumbnails[near].astype(np.float32) - thumbnails[i]).mean(1))
        if len(near) and errors.min() <= TOLERANCE:
            found.append(int(near[errors.argmin()]))
            continue
        found.append(None)
        for table, band in zip(tables, bands, strict=True):
            table[band].append(i)
    return found


def _bands(value: int) -> list[int]:
    """Cut a hash into `RADIUS + 1` parts of nearly the same number of bits."""
    edges = [BITS * n // (RADIUS + 1) for n in range(RADIUS + 2)]
    return [(value >> low) & ((1 << (high - low)) - 1) for low, high in pairwise(edges)]


def _lowest_frequencies() -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of the 64 lowest frequencies except the mean, diagonal by diagonal."""
    rows, columns = np.indices((_SIDE, _SIDE)).reshape(2, -1)
    order = np.lexsort((rows, rows + columns))[1 : BITS + 1]
    return rows[order], columns[order]


_LOWEST = _lowest_frequencies()
