"""What the commands share: complaints in one line, and options that several have."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import torch

from colorgan.errors import UserError
from colorgan.imaging.pixels import quiet


def run(command: Callable[[], int], interrupted: str) -> int:
    """Runs a command; returns its exit code: an error is one line and 2; after Ctrl-C, `interrupted` and 130."""
    try:
        with quiet():  # here and not in threads alone, because filters of warnings belong to the process
            return command()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"interrupted; {interrupted}", file=sys.stderr)
        return 130


class Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message: str) -> NoReturn:
        """Raises UserError."""
        raise UserError(f"{message}; see --help")


def existing(text: str) -> Path:
    """The path of an option that names a file or a folder."""
    if not os.path.exists(text):
        raise argparse.ArgumentTypeError(f"{text}: no such file or folder")
    return Path(text)


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def factor(text: str) -> float:
    """A number, 0 or above."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number, 0 or above")
    return value


def new_file(text: str) -> Path:
    """The path of a file to write: never one that is there; its folder is made.

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
    """The options that say which networks judge."""
    parser.add_argument("--classifier", type=existing, metavar="CKPT", help="judges, too: of experiments/judge.yaml")
    fetched = "do not fetch the network of this metric; may be given twice"
    parser.add_argument("--skip", action="append", choices=["lpips", "fid"], default=[], help=fetched)


def add_device(parser: argparse.ArgumentParser) -> None:
    """The option --device; `pick_device` gives what it means."""
    parser.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")


def pick_device(name: str) -> str:
    """The device of --device; `auto` takes the fastest there is."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(device for device, here in present.items() if here)
    if not present[name]:
        raise UserError(f"--device {name}: there is none on this machine; take --device auto")
    return name
