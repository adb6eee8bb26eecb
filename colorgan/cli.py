"""Functions shared by the commands: error handling, argument types and common options.

This file and the commands import heavy modules only inside functions, so that `--help` is fast.
"""

import argparse
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from colorgan import remote
from colorgan.errors import UserError, one_line

if TYPE_CHECKING:
    from rich.console import Console


def run(command: Callable[[], int], interrupted: str) -> int:
    """Run a command, and print errors in one line. Every command goes through here.

    Args:
        command: returns the exit code.
        interrupted: what to tell the user after Ctrl-C.

    Returns:
        the exit code of the command; 2 after a UserError or OSError, 130 after Ctrl-C, 143 after SIGTERM, 141 if the
        reader of stdout has gone, as in `| head -1`.
    """
    _make_all_names_printable()
    try:
        with _raising_on_sigterm():
            try:
                return command()
            finally:  # also after --help, which is a SystemExit
                sys.stdout.flush()  # here, and not while the interpreter ends, where a closed pipe is a traceback
    except BrokenPipeError:
        _discard_output()
        return 141
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {one_line(_describe(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"interrupted; {interrupted}", file=sys.stderr)
        return 130
    except _Terminated:
        print(f"terminated; {interrupted}", file=sys.stderr)
        return 143


def _describe(error: OSError) -> str:
    if isinstance(error.filename, str | bytes | os.PathLike):
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return error.strerror or str(error) or type(error).__name__


class _Terminated(BaseException):
    """SIGTERM; no Exception, so that nothing on the way takes it for a broken file."""


@contextmanager
def _raising_on_sigterm() -> Iterator[None]:
    """Raise _Terminated on SIGTERM, so that unfinished files are removed; commands may handle it themselves within."""

    def terminate(number: int, frame: object) -> NoReturn:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread of Python gets signals
        return
    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _make_all_names_printable() -> None:
    """Escape what the console cannot print in place of failing: a file may have any name, the console any encoding."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Send what is still buffered for a closed stdout nowhere, for it would fail again at the end."""
    with suppress(OSError), open(os.devnull, "w") as nowhere:  # OSError: stdout is no file
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def exit_quickly(code: int) -> NoReturn:
    """Exit without unloading libraries, which takes 0.8 s and 130 MB for the CUDA libraries of torch."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # the other end of a pipe was closed
            stream.flush()
    os._exit(code)


def program(command: str) -> str:
    """Return how a command was called: "colorgan COMMAND", or "python -m colorgan.COMMAND"."""
    return f"colorgan {command}" if Path(sys.argv[0]).name == "colorgan" else f"python -m colorgan.{command}"


class Parser(argparse.ArgumentParser):
    """ArgumentParser that raises UserError for wrong arguments, instead of printing the usage and exiting."""

    def error(self, message: str) -> NoReturn:
        """Raise UserError with this message."""
        raise UserError(f"{message}; see --help")


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def existing_path(text: str) -> Path:
    """Parse the path of an existing file or folder."""
    if not os.path.exists(text):
        raise argparse.ArgumentTypeError(f"{text}: no such file or folder")
    return Path(text)


def checkpoint_path(text: str) -> Path:
    """Parse the path of an existing checkpoint, or an address of `remote.SCHEMES`, which is fetched when it is read."""
    return Path(text) if remote.address(text) else existing_path(text)


def positive_int(text: str) -> int:
    """Parse an integer above 0."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def port(text: str) -> int:
    """Parse a port, 0 to 65535."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port, 0 to 65535")
    return int(text)


def nonnegative_float(text: str) -> float:
    """Parse a finite number, 0 or above."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number, 0 or above")
    return value


def new_file(text: str) -> Path:
    """Parse the path of a file to write, and create its folder.

    Raises:
        UserError: the file exists already, or its folder cannot be created.
    """
    path = Path(text)
    if path.exists():
        raise UserError(f"{path}: exists already; write to another file, or remove it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    return path


def make_console() -> "Console":
    """Return a console on stderr that prints text as it is: names of files are no markup, and lines are not wrapped."""
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)


def require_video_extra() -> None:
    """Raise UserError unless the packages that read and write videos are installed."""
    packages = {"av": "av", "cv2": "opencv-python-headless"}  # by the names of their modules
    if missing := [package for module, package in packages.items() if not find_spec(module)]:
        raise UserError(f"videos need {', '.join(missing)}: pip install 'colorgan[video]'")


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Add the options --classifier and --skip, which choose the networks of metrics."""
    parser.add_argument(
        "--classifier", type=checkpoint_path, metavar="CKPT", help="add the metrics of this checkpoint of judge.yaml"
    )
    skip = "do not download the network of this metric, and leave the metric out; may be given twice"
    parser.add_argument("--skip", action="append", choices=["lpips", "fid"], default=[], help=skip)


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """Add the option --device, whose value `pick_device` takes."""
    parser.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")


def pick_device(name: str) -> str:
    """Return the torch device for --device; for `auto`, the fastest one of this machine.

    Raises:
        UserError: this machine has no such device.
    """
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(device for device, found in available.items() if found)
    if not available[name]:
        raise UserError(f"--device {name}: this machine has none; use --device auto")
    return name
