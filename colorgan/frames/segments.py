"""What is finished of a video, in a hidden folder beside it: a process that is killed loses one segment at most.

A segment is a file of compressed frames that refer to no other segment, and beside it the color that the next one
carries on. It gets its name when both are written whole.
"""

import json
import os
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from colorgan.atomic import unfinished, write_atomically
from colorgan.errors import UserError
from colorgan.frames.encoding import Packet

HEADER = struct.Struct("<qq?Q")  # time stamp, duration, whether it is a keyframe, number of bytes
Arrays = dict[str, np.ndarray]


class Segments:
    """The finished segments of a video.

    Args:
        folder: that holds them.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.count = 0
        while self._file(self.count).exists():
            self.count += 1

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:06}.packets"

    def _state(self, number: int) -> Path:
        return self.folder / f"{number:06}.npz"

    def add(self, packets: Iterable[Packet], state: Callable[[], Arrays]) -> None:
        """Write a segment.

        Args:
            packets: in the order of decoding; they are taken one by one.
            state: called after the last packet; returns what `state` gives to the process that goes on.
        """
        part = unfinished(self._file(self.count))
        with part.open("wb") as file:
            for packet in packets:
                file.write(HEADER.pack(packet.pts, packet.duration, packet.is_keyframe, len(packet.content)))
                file.write(packet.content)
            file.flush()
            os.fsync(file.fileno())
        with unfinished(self._state(self.count)).open("wb") as file:
            np.savez(file, **state())
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished(self._state(self.count)), self._state(self.count))
        os.replace(part, self._file(self.count))
        if self.count:
            self._state(self.count - 1).unlink(missing_ok=True)
        self.count += 1

    def state(self) -> Arrays | None:
        """Return what was given with the last segment; None: there is none."""
        if not self.count:
            return None
        with np.load(self._state(self.count - 1)) as arrays:
            return dict(arrays)

    def packets(self) -> Iterator[Packet]:
        """Yield the packets of all segments, one by one."""
        for number in range(self.count):
            with self._file(number).open("rb") as file:
                while header := file.read(HEADER.size):
                    pts, duration, is_keyframe, size = HEADER.unpack(header)
                    yield Packet(pts, duration, is_keyframe, file.read(size))

    def time_stamps(self) -> list[int]:
        """Return the time stamps of all packets, in the order of decoding."""
        stamps = []
        for number in range(self.count):
            with self._file(number).open("rb") as file:
                while header := file.read(HEADER.size):
                    pts, _, _, size = HEADER.unpack(header)
                    stamps.append(pts)
                    file.seek(size, os.SEEK_CUR)
        return stamps


@contextmanager
def segments_of(out: Path, plan: dict[str, Any]) -> Iterator[Segments]:
    """Open the folder of a video that is being written, alone.

    Args:
        out: the video.
        plan: how it is made, of plain values; the segments of another plan are not continued.

    Raises:
        UserError: another process writes the same video; the segments there are of another plan.
    """
    folder = folder_of(out)
    folder.mkdir(exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            _check(out, folder, plan)
            yield Segments(folder)
    except Timeout:
        raise UserError(f"{out}: another process is writing it; wait for it, or write to another file") from None


def folder_of(out: Path) -> Path:
    """Return the hidden folder of a video that is being written."""
    return out.with_name(f".{out.name}.segments")


def remove(out: Path) -> None:
    """Remove the folder of a video that is written."""
    shutil.rmtree(folder_of(out), ignore_errors=True)


def _check(out: Path, folder: Path, plan: dict[str, Any]) -> None:
    file = folder / "plan.json"
    if not file.exists():
        write_atomically(file, json.dumps(plan, indent=1))
        return
    begun = json.loads(file.read_text(encoding="utf-8"))
    if changed := [f"{key} {begun.get(key)}" for key in plan if begun.get(key) != plan[key]]:
        raise UserError(
            f"{out}: begun with other settings ({', '.join(changed)}): give the same again, or remove {folder}"
        )
