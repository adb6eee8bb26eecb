"""Functions of many items, run by several processes that end with the one that started them."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import TypeVar

from colorgan.errors import UserError

Item, Argument, Result = TypeVar("Item"), TypeVar("Argument"), TypeVar("Result")
_AHEAD = 4  # items a process that are handed out at once


def run_parallel(
    function: Callable[[Item, Argument], Result], items: Iterable[Item], argument: Argument, jobs: int
) -> Iterator[Result]:
    """Call `function(item, argument)` for each item, in `jobs` processes; one job runs in this process.

    Yields:
        The results, in the order in which they are ready.

    Raises:
        UserError: a process was killed, as by the system when memory runs out.
    """
    items = list(items)
    jobs = min(jobs, len(items))
    if jobs < 2:
        yield from (function(item, argument) for item in items)
        return
    try:
        # Not forked: a copy of a process with threads, which torch has, may wait for a lock forever.
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin) as executor:
            pending = set()
            for item in items:
                pending.add(executor.submit(function, item, argument))
                if len(pending) >= _AHEAD * jobs:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            yield from (future.result() for future in as_completed(pending))
    except BrokenProcessPool as error:
        raise UserError("a process was killed, perhaps for want of memory: try again with fewer --jobs") from error


def _begin() -> None:
    """Prepare a process: one thread, deaf to Ctrl-C, which its parent answers, and gone when its parent is."""
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent_process().join()
    os._exit(1)
