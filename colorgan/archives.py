"""Reading files of `torch.save` that anybody may have written: no code of theirs runs, their size bounds the memory.

`torch.load(weights_only=True)` keeps code out. It does not look at sizes: an archive may be compressed, a tensor of
one number may say that it has a billion of rows, and objects may nest in each other so that they never end.
"""

import mmap
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_OBJECTS = 10**6  # in a file: those of a training run have thousands
_NAMES = 1 << 26  # bytes of an archive that are no numbers
_COPIES = 4  # times that all tensors together may be larger than the file: some share their numbers
_DEPTH, _PLAIN_OBJECTS, _TEXT = 20, 20_000, 1 << 20  # of an experiment


class Refused(Exception):
    """A file that no program of good will writes; the message says why."""


def read(path: str | Path) -> Any:
    """Read a file of `torch.save`, of tensors and plain objects. The tensors of today's format are mapped from disk.

    Raises:
        Refused: it would take more memory than its size.
        Exception: of nearly any type, if it is broken or holds other objects.
    """
    path = Path(path)
    if not path.is_file():  # to open a named pipe would wait forever
        raise Refused("not a regular file")
    is_zip = zipfile.is_zipfile(path)
    (_check_archive if is_zip else _check_pickle)(path)
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    _check_tensors(content, path.stat().st_size)
    return content


def is_plain(content: Any) -> bool:
    """Whether an object holds dicts, lists, text, numbers, bools and None alone, and no more than a person writes.

    Objects that are contained several times count each time, as whatever prints or copies them meets them each time.
    """
    left, text = _PLAIN_OBJECTS, _TEXT
    waiting = [(content, 0)]
    while waiting:
        value, depth = waiting.pop()
        left -= 1
        if isinstance(value, str):
            text -= len(value)
        elif isinstance(value, dict | list | tuple):
            parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value
            waiting += [(part, depth + 1) for part in parts[:_PLAIN_OBJECTS]]
        elif not (value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)):
            return False
        if depth > _DEPTH or left < 0 or text < 0 or len(waiting) > _PLAIN_OBJECTS:
            return False
    return True


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise Refused("a compressed archive, which torch.save does not write")
        if sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise Refused("an archive of more bytes than the file has")
        if archive.testzip():
            raise zipfile.BadZipFile("wrong checksum")  # which a mapped file never shows: some weights are others
        names = [entry for entry in entries if entry.filename.endswith("data.pkl")]
        if sum(entry.file_size for entry in names) > _NAMES:
            raise Refused("an archive of too many objects")
        for entry in names:
            _require_no_buffers(archive.read(entry))


def _check_pickle(path: Path) -> None:
    """Check a file of the format before torch 1.6."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        _require_no_buffers(content)


def _require_no_buffers(pickled: bytes | mmap.mmap) -> None:
    if pickled.find(b"\nbytearray\n") >= 0:  # of any size, which torch.load makes and fills
        raise Refused("it asks for memory of its own, which no checkpoint needs")


def _check_tensors(content: Any, size: int) -> None:
    total = 0
    for tensor in _tensors(content):
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            raise Refused(f"a tensor of another kind ({tensor.layout}, {tensor.device})")
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise Refused(f"a tensor {tuple(tensor.shape)} of more numbers than the file has")
        total += tensor.numel() * tensor.element_size()
    if total > _COPIES * size:
        raise Refused(f"tensors of {total} bytes in a file of {size}")


def _tensors(content: Any) -> Iterator[Tensor]:
    """Yield the tensors within dicts, lists and tuples; each container is looked into once."""
    waiting, seen = [content], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, dict | list | tuple | set) and id(value) not in seen:
            seen.add(id(value))
            waiting += value.values() if isinstance(value, dict) else value
        if len(seen) + len(waiting) > _OBJECTS:
            raise Refused("too many objects")
