"""Checks of image files against bombs: small files whose decoding takes hours or all memory.

Pillow refuses too many pixels. What it does not limit is how often the pixels or the bytes of a file are used: by the
scans of a JPEG, the tags of a TIFF or an EXIF block, and the strips of a TIFF.
"""

import io
import os
import stat
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

_BLOCK = 1 << 20  # bytes read at a time
_SCANS = 20  # of a JPEG, whatever its size; encoders write about 10
_SCANNED_PIXELS = 4 * 10**9  # pixels times scans, of a JPEG with more: about 20 s
_TOLERANCE = 4  # times what a whole TIFF may hold: strips may be padded, and equal ones may be stored once
_UNIT = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_POINTERS = {34665, 34853, 40965}  # tags that hold the place of further tags: EXIF, GPS, interoperability


class BombError(OSError):
    """An image file that would take too much time or memory."""


def require_regular(path: str | Path) -> None:
    """Raise BombError for a path that is no regular file: to open a named pipe or a device may wait forever."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise BombError("not a regular file")


def require_few_scans(file: BinaryIO, pixels: int) -> None:
    """Raise BombError for a JPEG that draws its pixels so often that it would take minutes or days.

    Args:
        file: the JPEG.
        pixels: their number.
    """
    file.seek(0)
    scans, last = 0, b""
    while block := file.read(_BLOCK):
        scans += (last + block).count(b"\xff\xda")  # the marker of a scan; in compressed data 0xff is followed by 0
        last = block[-1:]
    if scans > _SCANS and scans * pixels > _SCANNED_PIXELS:
        raise BombError(f"{scans} scans of {pixels} pixels")


def require_tags_within(file: BinaryIO) -> None:
    """Raise BombError for a TIFF or an EXIF block whose first tags say to hold more bytes than there are.

    A decoder keeps a copy of the bytes of each tag, and thousands of tags may share the same ones.
    """
    size = file.seek(0, io.SEEK_END)
    places, known = [0], set()  # 0: the first one, whose place is in the head
    while places:
        place = places.pop()
        if place in known:
            continue
        known.add(place)
        claimed = 0
        for tag, kind, count, value in _tags(file, place):
            claimed += _UNIT.get(kind, 0) * count
            if tag in _POINTERS:
                places.append(value)
        if claimed > size:
            raise BombError(f"metadata of {claimed} bytes in a file of {size}")


def require_apart(file: BinaryIO, counts: Sequence[int]) -> None:
    """Raise BombError for a TIFF whose strips or tiles are together longer than the file: they share bytes."""
    size = file.seek(0, io.SEEK_END)
    if sum(counts) > max(_TOLERANCE * size, size + _BLOCK):
        raise BombError(f"strips or tiles of {sum(counts)} bytes in a file of {size}")


def inflated_bytes(tags: Mapping[int, Any]) -> int:
    """Return how many bytes the compressed strips or tiles of a TIFF may hold: several times those of its pixels."""
    width, length, samples = (int(tags.get(tag, 1)) for tag in (256, 257, 277))
    bits = max(tags.get(258, (1,)))
    return _TOLERANCE * (width * length * samples * bits // 8) + _BLOCK


def _tags(file: BinaryIO, place: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield tag, type, count and value of each entry at a place of a TIFF; none where it ends early."""
    file.seek(0)
    head = file.read(16)
    order = ">" if head[:2] == b"MM" else "<"
    big = head[2:4] in (b"+\0", b"\0+")
    number, entry, first = ("Q", "HHQQ", head[8:16]) if big else ("H", "HHLL", head[4:8])
    try:
        if not place:
            (place,) = struct.unpack(order + ("Q" if big else "L"), first)
        file.seek(place)
        (count,) = struct.unpack(order + number, file.read(struct.calcsize(order + number)))
        for _ in range(min(count, 65535)):
            yield struct.unpack(order + entry, file.read(struct.calcsize(order + entry)))
    except (struct.error, OSError, OverflowError):  # cut off, or a place beyond any file: the decoder says so
        return
