"""Files of a folder or of a URL; those of a URL are copied to a local folder, which is kept below a size."""

import errno
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock

from colorgan.errors import UserError

PAUSES = (1.0, 5.0, 25.0)  # seconds before an attempt is repeated


class UnreachableError(UserError):
    """A file of a set is missing, damaged or out of reach: not one photograph, but many at once."""


class Storage:
    """The files of a folder or of a URL, which never change.

    Args:
        root: a folder, or a URL that fsspec knows: s3://, gs://, https:// and others.
        folder: for the copies of remote files. Processes and sets may share it, for copies are named by their SHA-256.
        limit: bytes to keep there; the copies that were used least recently are deleted.
    """

    def __init__(self, root: str, folder: Path, limit: int):
        self.root = root.rstrip("/")
        self.is_remote = "://" in root
        self.folder = folder
        self.limit = limit

    def read(self, name: str) -> bytes:
        """Return what is in a small file.

        Raises:
            UnreachableError: it cannot be read.
        """
        if not self.is_remote:
            return self._attempt(name, lambda: Path(self.root, name).read_bytes(), ())
        return self._attempt(name, lambda: _open(self._url(name)).cat_file(self._url(name)))

    def sizes(self, names: list[str]) -> list[int | None]:
        """Return the sizes of files in bytes, and None where a server does not say.

        Raises:
            UnreachableError: one is missing.
        """
        if not self.is_remote:
            return [self._attempt(name, lambda name=name: os.stat(Path(self.root, name)).st_size, ()) for name in names]
        urls = [self._url(name) for name in names]
        return self._attempt("", lambda: _open(self.root).sizes(urls)) if urls else []

    def fetch(self, name: str, sha256: str) -> Path:
        """Return the path of a file, or of a copy of it that is made if there is none. The copy may vanish at any time.

        Raises:
            UnreachableError: it cannot be read, is damaged, or does not fit on the disk.
        """
        if not self.is_remote:
            return Path(self.root, name)
        path = self.folder / f"{sha256}{Path(name).suffix}"
        if not _touch(path):
            self._attempt(name, lambda: self._copy(name, sha256, path))
        return path

    def _copy(self, name: str, sha256: str, path: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with FileLock(path.with_suffix(".lock")):  # workers and ranks want it at the same time
            if _touch(path):
                return
            try:
                _open(self._url(name)).get_file(self._url(name), str(part))
                with open(part, "rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                        raise OSError("damaged: not the content that the set was made with")
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)
        self._evict(path)

    def _evict(self, newest: Path) -> None:
        """Delete the copies that were used least recently, until the rest is below the limit."""
        copies = []
        for path in self.folder.glob(f"*{newest.suffix}"):
            try:
                status = path.stat()
            except FileNotFoundError:  # another process has deleted it
                continue
            copies.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in copies)
        for _, size, path in sorted(copies):
            if total <= self.limit:
                break
            if path != newest:
                path.unlink(missing_ok=True)
                total -= size

    def _url(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _attempt(self, name: str, call: Callable[[], Any], pauses: tuple[float, ...] | None = None) -> Any:
        """Return what `call` returns, tried again after each pause; a file that is not there is not tried again."""
        where = self._url(name) if name else self.root
        for pause in (*(PAUSES if pauses is None else pauses), None):
            try:
                return call()
            except UserError:
                raise
            except FileNotFoundError as error:
                missing = where if name else error  # which names the one of many
                raise UnreachableError(f"{missing}: no such file, which the set needs") from error
            except Exception as error:  # clients of object storage raise what they like
                if getattr(error, "errno", None) == errno.ENOSPC:
                    line = f"{self.folder}: no room for a copy of {where}; set data.shard_dir to a larger disk"
                    raise UnreachableError(line) from error
                if pause is None:
                    reason = (str(error) or type(error).__name__).splitlines()[0]
                    raise UnreachableError(f"{where}: cannot be read: {reason}") from error
                time.sleep(pause)
        raise AssertionError


class Prefetcher:
    """Copies files in the background, in the process that knows which ones will be needed."""

    def __init__(self) -> None:
        self._wanted: list[Callable[[], Any]] = []
        self._thread: threading.Thread | None = None

    def want(self, fetches: Iterable[Callable[[], Any]]) -> None:
        """Make these calls one after the other, in place of those that have not begun."""
        self._wanted = list(fetches)
        if self._wanted and not (self._thread and self._thread.is_alive()):
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._wanted:
            try:
                self._wanted.pop(0)()
            except (UserError, IndexError):  # who needs the file fails with the same error, and says so
                return


def _open(url: str) -> Any:
    """Return the file system of a URL; fsspec keeps one for each process, for they do not survive a fork.

    Raises:
        UserError: fsspec does not know the protocol, or needs a package for it.
    """
    from fsspec.core import url_to_fs

    try:
        return url_to_fs(url)[0]
    except ImportError as error:
        raise UserError(f"{url}: {error}: pip install 'colorgan[stream]'") from error
    except ValueError as error:
        raise UserError(f"{url}: {error}") from error


def _touch(path: Path) -> bool:
    """Mark a file as used now; return whether it exists."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True
