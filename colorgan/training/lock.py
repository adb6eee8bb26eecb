"""A lock on a run directory, so that two processes never train the same run."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from colorgan.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """Hold the lock of a run directory. It ends with its process, however that ends.

    The lock is that of POSIX, which a process does not share with the workers that it starts: these may outlive it for
    some seconds.

    Raises:
        UserError: another process holds it.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / ".lock").open("a+") as file:
        if fcntl:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                file.seek(0)
                owner = file.read().strip() or "another process"
                raise UserError(
                    f"{run_dir}: {owner} trains there; wait for it, or start another run with run_dir=..."
                ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield
