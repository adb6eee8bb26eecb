"""Photographs packed into tar files of about the same size, in the format of webdataset, for storage without folders.

A set is a folder: the shards of both splits, an index of each split, and `shards.json`, which is written last. A shard
has two members for each picture: `KEY.jpg`, the file as it was, and `KEY.cls`, the index of its class. The index says
where each picture lies, so that one can be read without the ones before it. Names hold a digest of what is in the file:
a file of the same name never changes.
"""

import hashlib
import io
import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from colorgan.atomic import write_atomically
from colorgan.data.source import FileSource
from colorgan.errors import UserError

FORMAT = 1
SUMMARY = "shards.json"
SHARD_BYTES = 64 * 10**6
INDEX = np.dtype([("offset", "<u8"), ("size", "<u4"), ("label", "<u4"), ("crc32", "<u4")])  # a row for each picture
_BLOCK = 512  # bytes, the unit of a tar file
_DIGITS = 8  # of a digest in a file name


@dataclass(frozen=True)
class Shard:
    """A shard of a set, as it stands in `shards.json`."""

    file: str
    pictures: int
    bytes: int
    sha256: str


class _Photograph(NamedTuple):
    path: Path
    key: str
    size: int  # bytes
    label: int

    @property
    def members(self) -> list[str]:
        return [self.key + self.path.suffix.lower(), f"{self.key}.cls"]


class _Planned(NamedTuple):
    name: str  # train-00003
    photographs: list[_Photograph]


Watch = Callable[[Iterable[_Planned], int], Iterable[_Planned]]


def write_shards(
    splits: dict[str, FileSource], out: Path, shard_bytes: int, watch: Watch = lambda shards, total: shards
) -> bool:
    """Pack photographs into shards, or go on where an earlier call was killed.

    Pictures are spread over the shards of their split by a hash of their names, so that each has all classes. `out`
    appears when it is complete; until then everything is in a hidden folder beside it.

    Args:
        splits: the photographs by the name of their split, with the same classes; paths differ in more than suffixes.
        out: the folder to make.
        shard_bytes: size of a shard; one with a single larger photograph is larger.
        watch: is passed the shards to write and their number; yields them again.

    Returns:
        Whether anything was written: False, if `out` has these shards already.

    Raises:
        UserError: `out` holds something else, another process writes it, or the disk is full.
    """
    plan = {split: _plan(split, source, shard_bytes) for split, source in splits.items()}
    classes = next(iter(splits.values())).classes
    made_from = _digest(plan, classes, shard_bytes)
    if out.exists():
        _refuse_others(out, made_from)
        return False
    work = out.with_name(f".{out.name}.part")
    work.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(work.with_suffix(".lock"), timeout=0):
            _begin(work, made_from, plan)
            shards, indices = {}, {}
            todo = watch([shard for shards in plan.values() for shard in shards], sum(map(len, plan.values())))
            for planned in todo:
                shards[planned.name], indices[planned.name] = _finished(work, planned) or _write(work, planned)
            described = {
                split: _finish_split(work, split, [s.name for s in plan[split]], shards, indices) for split in plan
            }
            summary = {"format": FORMAT, "made_from": made_from, "classes": classes, "splits": described}
            write_atomically(work / SUMMARY, (json.dumps(summary, indent=1) + "\n").encode())
            (work / "plan").unlink()
            os.rename(work, out)
    except Timeout:
        raise UserError(f"{out}: another process is writing these shards") from None
    except OSError as error:
        raise UserError(f"{error.filename or work}: {error.strerror or error}; the same command continues") from error
    work.with_suffix(".lock").unlink(missing_ok=True)
    return True


def _plan(split: str, source: FileSource, shard_bytes: int) -> list[_Planned]:
    """Distribute the photographs of a split over shards."""
    order = sorted(range(len(source)), key=lambda i: hashlib.blake2b(os.fsencode(source.names[i])).digest())
    shards: list[list[_Photograph]] = []
    filled = shard_bytes
    for i in order:
        path = source.root / source.names[i]
        name = PurePosixPath(source.names[i])
        key = str(name.with_name(name.stem.replace(".", "_")))  # what follows the first dot would be its type
        photograph = _Photograph(path, key, path.stat().st_size, source.label(i))
        length = 3 * _BLOCK + -(-photograph.size // _BLOCK) * _BLOCK  # two headers and the label
        if filled + length > shard_bytes:
            shards.append([])
            filled = 0
        shards[-1].append(photograph)
        filled += length
    return [_Planned(f"{split}-{n:05d}", photographs) for n, photographs in enumerate(shards)]


def _digest(plan: dict[str, list[_Planned]], classes: list[str], shard_bytes: int) -> str:
    digest = hashlib.sha256(repr((FORMAT, shard_bytes, classes)).encode())
    for shard in (shard for shards in plan.values() for shard in shards):
        for photograph in shard.photographs:
            facts = shard.name, photograph.members, photograph.size, photograph.label
            digest.update(repr(facts).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _refuse_others(out: Path, made_from: str) -> None:
    """Raise UserError unless a folder has the shards that would be written."""
    try:
        found = json.loads((out / SUMMARY).read_text(encoding="utf-8"))["made_from"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{out}: holds something else than shards; move it away") from None
    if found != made_from:
        raise UserError(f"{out}: has the shards of other pictures or of another size; move it away, or delete it")


def _begin(work: Path, made_from: str, plan: dict[str, list[_Planned]]) -> None:
    """Prepare the work folder: shards of another plan, which nobody has seen, are deleted."""
    if not (work / "plan").exists() or (work / "plan").read_text(encoding="utf-8") != made_from:
        shutil.rmtree(work)
        work.mkdir()
        needed = sum(p.size + 4 * _BLOCK for shards in plan.values() for shard in shards for p in shard.photographs)
        free = shutil.disk_usage(work).free
        if needed > free:
            raise UserError(f"{work.parent}: the shards need {needed / 1e9:.2f} GB, and {free / 1e9:.2f} are free")
        write_atomically(work / "plan", made_from.encode())
    for part in work.glob("*.part"):
        part.unlink()


def _write(work: Path, planned: _Planned) -> tuple[Shard, np.ndarray]:
    part = work / f"{planned.name}.part"
    with open(part, "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for photograph in planned.photographs:
                contents = photograph.path.read_bytes(), str(photograph.label).encode()
                for name, content in zip(photograph.members, contents, strict=True):
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
        file.flush()
        os.fsync(file.fileno())
    with open(part, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    os.replace(part, work / f"{planned.name}-{sha256[:_DIGITS]}.tar")
    written = _finished(work, planned)
    if written is None:
        raise UserError(f"{planned.name}: a photograph has changed while it was packed; give the same command again")
    return written


def _finished(work: Path, planned: _Planned) -> tuple[Shard, np.ndarray] | None:
    """Read back a shard and return it with its part of the index; None if it is not there as planned."""
    path = next(work.glob(f"{planned.name}-*.tar"), None)
    if path is None:
        return None
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        members = _members(path)
        expected = [name for photograph in planned.photographs for name in photograph.members]
        sizes = [photograph.size for photograph in planned.photographs]
        pictures = members[::2]
        is_whole = path.stem.endswith(f"-{sha256[:_DIGITS]}") and [m.name for m in members] == expected
        if not is_whole or [picture.size for picture in pictures] != sizes:
            path.unlink()
            return None
        index = np.zeros(len(pictures), INDEX)
        index["offset"] = [picture.offset_data for picture in pictures]
        index["size"] = sizes
        index["label"] = [photograph.label for photograph in planned.photographs]
        for row in index:
            file.seek(row["offset"])
            row["crc32"] = zlib.crc32(file.read(row["size"]))
    return Shard(path.name, len(pictures), path.stat().st_size, sha256), index


def _members(path: Path) -> list[tarfile.TarInfo]:
    try:
        with tarfile.open(path, "r:") as tar:
            return tar.getmembers()
    except tarfile.TarError:
        return []


def _finish_split(
    work: Path, split: str, names: list[str], shards: dict[str, Shard], indices: dict[str, np.ndarray]
) -> dict:
    """Write the index of a split, and return what `shards.json` says of the split."""
    buffer = io.BytesIO()
    np.save(buffer, np.concatenate([indices[name] for name in names]))
    sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()
    index = f"{split}-{sha256[:_DIGITS]}.npy"
    write_atomically(work / index, buffer.getvalue())
    return {"index": index, "index_sha256": sha256, "shards": [asdict(shards[name]) for name in names]}
