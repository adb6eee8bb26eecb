"""What the commands share: errors in one line, and options that several have.

Nothing heavy is imported at the top of this file or of a command, so that `--help` answers at once.
"""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from colorgan.errors import UserError


def run(command: Callable[[], int], interrupted: str) -> int:
    """Run a command and return its exit code: an error is one line and 2; after Ctrl-C, `interrupted` and 130."""
    try:
        return command()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"interrupted; {interrupted}", file=sys.stderr)
        return 130


def leave(code: int) -> NoReturn:
    """End the process, whose work is done, at once: to unload the CUDA libraries of torch takes 0.8 s and 130 MB."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # a pipe that is closed
            stream.flush()
    os._exit(code)


class Parser(argparse.ArgumentParser):
    """Reports a wrong option in one line."""

    def error(self, message: str) -> NoReturn:
        """Raise UserError."""
        raise UserError(f"{message}; see --help")


def existing(text: str) -> Path:
    """Parse the path of a file or a folder that is there."""
    if not os.path.exists(text):
        raise argparse.ArgumentTypeError(f"{text}: no such file or folder")
    return Path(text)


def positive(text: str) -> int:
    """Parse a whole number above 0."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def factor(text: str) -> float:
    """Parse a number, 0 or above."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number, 0 or above")
    return value


def new_file(text: str) -> Path:
    """Parse the path of a file to write, never one that is there, and make its folder.

    Raises:
        UserError: there is such a file, or its folder cannot be made.
    """
    path = Path(text)
    if path.exists():
        raise UserError(f"{path}: is there already; write to another file, or remove it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    return path


def add_judges(parser: argparse.ArgumentParser) -> None:
    """Add the options of the feature networks."""
    parser.add_argument("--classifier", type=existing, metavar="CKPT", help="judges, too: of experiments/judge.yaml")
    fetched = "do not fetch the network of this metric; may be given twice"
    parser.add_argument("--skip", action="append", choices=["lpips", "fid"], default=[], help=fetched)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the option --device, whose value is for `pick_device`."""
    parser.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")


def pick_device(name: str) -> str:
    """Return the torch device of --device; `auto` takes the fastest there is.

    Raises:
        UserError: this machine has no such device.
    """
    import torch

    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(device for device, here in present.items() if here)
    if not present[name]:
        raise UserError(f"--device {name}: there is none on this machine; take --device auto")
    return name
