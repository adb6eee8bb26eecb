"""Files of a run that neither a crash nor a full disk can damage."""

import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from colorgan.atomic import unfinished
from colorgan.colorizer import checkpoint
from colorgan.errors import UserError

# Of a file system or a user without links, as exFAT, and EINVAL on Windows; any other error is one of the disk.
NO_LINKS = {errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}


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


def replace_link(path: Path, target: Path) -> None:
    """Let `path` be a symbolic link to a file in the same folder, or a copy of it where there are no links.

    Whatever was there is replaced at once: a crash leaves the old or the new one.

    Raises:
        OSError: the disk is full or broken.
    """
    _replace(path, target, lambda beside: beside.symlink_to(target.name))


def replace_hard_link(path: Path, target: Path) -> None:
    """As `replace_link`, but `path` keeps the content when the other name is deleted."""
    _replace(path, target, lambda beside: beside.hardlink_to(target))


def _replace(path: Path, target: Path, link: Callable[[Path], None]) -> None:
    beside = unfinished(path)
    try:
        beside.unlink(missing_ok=True)
        try:
            link(beside)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            shutil.copyfile(target, beside)
        os.replace(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


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
    beside = unfinished(path)
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
