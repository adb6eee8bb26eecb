"""Files of a run that neither a crash nor a full disk can damage."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from colorgan.colorizer import checkpoint
from colorgan.errors import UserError


class SafeCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside the old ones, and gives it its name once it is on the disk and can be read back.

    A process that cannot write must not raise where others wait for it, so a failure is kept for the callback.

    Attributes:
        failure: why the latest checkpoint could not be written; None if it was.
    """

    failure: str | None = None

    def save_checkpoint(self, content: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint; `failure` says whether that went wrong."""
        self.failure = None
        try:
            _write(content, Path(path))
        except (OSError, RuntimeError, UserError) as error:  # torch turns errors of the disk into RuntimeError
            self.failure = _reason(error)


def temporary(path: Path) -> Path:
    """Return the name under which a file of a run is written, in the same folder."""
    return path.with_name(f".{path.name}.tmp")


def write_atomically(path: Path, text: str) -> None:
    """Replace a text file: after a crash or on a full disk, the old one or the new one is there, whole."""
    beside = temporary(path)
    with beside.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def replace_link(path: Path, target: Path) -> None:
    """Let `path` be another name of a file in the same folder, or a copy of it where there are no links.

    Whatever was there is replaced at once: a crash leaves the old or the new one.
    """
    beside = temporary(path)
    beside.unlink(missing_ok=True)
    try:
        beside.symlink_to(target.name)
    except (OSError, NotImplementedError):  # as on exFAT
        beside.write_bytes(target.read_bytes())
    os.replace(beside, path)


def replace_hard_link(path: Path, target: Path) -> None:
    """Let `path` keep the content of a file that is going to be removed; a copy where there are no hard links."""
    beside = temporary(path)
    beside.unlink(missing_ok=True)
    try:
        os.link(target, beside)
    except (OSError, NotImplementedError):
        beside.write_bytes(target.read_bytes())
    os.replace(beside, path)


@contextmanager
def warn_if_full(path: Path) -> Iterator[None]:
    """Say in one line that a file of a run could not be written, and go on: a training is worth more."""
    try:
        yield
    except OSError as error:
        print(f"{path}: not written: {error.strerror or error}; the run goes on", file=sys.stderr, flush=True)


def _reason(error: BaseException) -> str:
    """Return in a line why a file was not written: what the system said, if torch has wrapped it."""
    cause: BaseException | None = error
    while cause and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return next(iter(str(error).splitlines()), type(error).__name__)


def _write(content: dict[str, Any], path: Path) -> None:
    beside = temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        checkpoint.read(beside)
        os.replace(beside, path)
        _sync_folder(path.parent)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
