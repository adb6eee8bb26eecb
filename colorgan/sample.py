"""Colors photographs at their full resolution: `python -m colorgan.sample --ckpt CKPT [--out DIR] INPUT ...`."""

import argparse
import itertools
import os
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from colorgan import images, load
from colorgan.errors import UserError
from colorgan.images import Photograph
from colorgan.pixels import quiet
from colorgan.systems import Colorizer

READERS = 3  # threads that read and write; so many photographs are decoded ahead, too
BATCH_VALUES = 3 * 2**24  # a batch ends at so many values, however few photographs they are: bounds the memory

Job = tuple[Path, Path]  # the photograph and the file that its colored version becomes


@dataclass
class Plan:
    """What is to be done."""

    jobs: list[Job] = field(default_factory=list)
    skipped: int = 0  # outputs that are there already
    refused: list[str] = field(default_factory=list)  # a line for each input that cannot be done
    notes: list[str] = field(default_factory=list)  # a line for each surprise


class Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message: str) -> NoReturn:
        """Raises UserError."""
        raise UserError(f"{message}; see --help")


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code: 0 all good, 1 some file failed, 2 bad usage."""
    try:
        with quiet():  # here and not in the threads alone, because filters of warnings belong to the process
            return run(parse(argv))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; what is colored stays, and the same command goes on from there", file=sys.stderr)
        return 130


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The options; raises UserError for wrong ones."""
    parser = Parser(prog="python -m colorgan.sample", description=__doc__)
    parser.add_argument("inputs", nargs="+", type=_input, metavar="INPUT", help="a photograph or a folder of them")
    parser.add_argument("--ckpt", required=True, help="a checkpoint of a training run")
    parser.add_argument("--out", type=Path, default=Path("colorized"), help="the folder to write to (%(default)s)")
    parser.add_argument("--size", type=_positive, help="short side in px to predict color at (the model's own)")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")
    parser.add_argument("--batch-size", type=_positive, default=8, help="photographs at a time (%(default)s)")
    formats = [suffix.removeprefix(".") for suffix in images.SUFFIXES]
    parser.add_argument("--format", choices=formats, type=str.lower, help="write this format (that of the input)")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that are there; never an input")
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> int:
    """Colors all inputs, reports, and returns the exit code."""
    model = load(args.ckpt, device=_device(args.device))
    plan = make_plan(args.inputs, args.out, f".{args.format}" if args.format else None, args.overwrite)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {args.out}: {error.strerror}") from error
    console = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
    for line in plan.notes + plan.refused:
        console.print(line)
    failed = len(plan.refused)
    with Progress(console=console, disable=len(plan.jobs) < 2 or not sys.stderr.isatty()) as progress:
        results = color(model, plan.jobs, args.size, args.batch_size)
        for error in progress.track(results, total=len(plan.jobs), description="coloring"):
            if error:
                console.print(str(error))
                failed += 1
    colored = len(plan.jobs) + len(plan.refused) - failed
    hint = " (already there: --overwrite replaces them)" if plan.skipped else ""
    print(f"{colored} colored, {plan.skipped} skipped{hint}, {failed} failed: see {args.out}")
    return 1 if failed else 0


def make_plan(inputs: list[Path], out: Path, suffix: str | None, overwrite: bool) -> Plan:
    """Decides which file becomes which, below `out`.

    A file goes by its name, a folder's files by their paths in it. Of two inputs with one output the second becomes
    NAME-2, so that both are kept; an output that is itself an input (through links, too) is refused.
    """
    plan, found = Plan(), []
    for given in inputs:
        if not given.is_dir():
            found.append((given, Path(given.name)))
            continue
        files = _photographs(given, out, plan.refused)
        found += [(file, file.relative_to(given)) for file in files]
        if not files:
            plan.refused.append(f"{given}: no photographs in this folder ({' '.join(images.SUFFIXES)})")
        if out.is_dir() and given.resolve() in out.resolve().parents:
            plan.notes.append(f"{out}: left out of {given}, because it is where the outputs go")
    sources = {_identity(source) for source, _ in found}
    owners: dict[str, Path] = {}
    for source, relative in found:
        wanted = out / relative.with_suffix(suffix or images.suffix(source))
        target = _claim(wanted, source, owners)
        if target is None:
            continue
        if target != wanted:
            plan.notes.append(f"{source}: goes to {target}, because {wanted.name} is another input's")
        if not target.exists():
            plan.jobs.append((source, target))
        elif _identity(target) in sources:
            plan.refused.append(f"{source}: not colored, for {target} is an input; choose another --out")
        elif overwrite:
            plan.jobs.append((source, target))
        else:
            plan.skipped += 1
    return plan


def color(model: Colorizer, jobs: list[Job], size: int | None, batch_size: int) -> Iterator[UserError | None]:
    """Colors and writes the photographs; yields for each None, or what went wrong."""
    batch: list[tuple[Path, Photograph]] = []
    with ThreadPoolExecutor(READERS) as pool:
        for target, future in _read_ahead(pool, jobs):
            try:
                batch.append((target, future.result()))
            except UserError as error:
                yield error
            if len(batch) == batch_size or sum(photograph.rgb.size for _, photograph in batch) > BATCH_VALUES:
                yield from _color_batch(pool, model, batch, size)
                batch.clear()
        yield from _color_batch(pool, model, batch, size)


def _read_ahead(pool: ThreadPoolExecutor, jobs: list[Job]) -> Iterator[tuple[Path, Future]]:
    """The target and the future photograph of each job, while the next READERS are being decoded."""
    ahead: deque[tuple[Path, Future]] = deque()
    for source, target in jobs:
        ahead.append((target, pool.submit(images.read, source)))
        if len(ahead) > READERS:
            yield ahead.popleft()
    while ahead:
        yield ahead.popleft()


def _color_batch(
    pool: ThreadPoolExecutor, model: Colorizer, batch: list[tuple[Path, Photograph]], size: int | None
) -> Iterator[UserError | None]:
    targets, photographs = [target for target, _ in batch], [photograph for _, photograph in batch]
    pictures = [torch.from_numpy(photograph.rgb).permute(2, 0, 1) for photograph in photographs]
    return pool.map(_finish, targets, photographs, _paint(model, pictures, size))


def _paint(model: Colorizer, pictures: list[Tensor], size: int | None) -> list[Tensor | Exception]:
    """The colored pictures; where a batch fails (of memory, mostly), each picture gets a chance alone."""
    try:
        return model.paint(pictures, size) if pictures else []
    except (RuntimeError, MemoryError) as error:
        if len(pictures) == 1:
            return [error]
    return [_paint(model, [picture], size)[0] for picture in pictures]


def _finish(target: Path, photograph: Photograph, colored: Tensor | Exception) -> UserError | None:
    """Writes one picture; returns what went wrong, which is no reason to stop the others."""
    if isinstance(colored, Exception):
        reason = next(iter(str(colored).splitlines()), type(colored).__name__)
        return UserError(f"{target}: not written, the model failed: {reason}")
    try:
        images.write(target, colored.permute(1, 2, 0).numpy(), photograph.alpha, photograph.exif)
    except UserError as error:
        return error
    return None


def _photographs(folder: Path, out: Path, refused: list[str]) -> list[Path]:
    """The photographs in a folder and below, sorted; nothing hidden, nothing in `out`, whose files are outputs."""
    found = []
    for root, folders, files in os.walk(folder, onerror=lambda e: refused.append(f"{e.filename}: {e.strerror}")):
        here = Path(root)
        folders[:] = [name for name in folders if name[0] != "." and (here / name).resolve() != out.resolve()]
        found += [here / name for name in files if name[0] != "." and Path(name).suffix.lower() in images.SUFFIXES]
    return sorted(found)


def _claim(target: Path, source: Path, owners: dict[str, Path]) -> Path | None:
    """`target`, or NAME-2, NAME-3, ... where another input has it; None where this very input has it."""
    stem = target.stem
    for n in itertools.count(2):
        # Case is ignored, because the disk may ignore it.
        owner = owners.setdefault(str(target).casefold(), source)
        if owner is source:
            return target
        if _identity(owner) == _identity(source):
            return None
        target = target.with_stem(f"{stem}-{n}")


def _identity(path: Path) -> tuple[int, int] | Path:
    """What is equal of two paths to one file, through symbolic and hard links."""
    try:
        status = path.stat()
    except OSError:  # a broken link: reading it is going to say so
        return path
    return status.st_dev, status.st_ino


def _device(name: str) -> str:
    """The device of --device; `auto` takes the fastest there is."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(device for device, here in present.items() if here)
    if not present[name]:
        raise UserError(f"--device {name}: there is none on this machine; take --device auto")
    return name


def _input(text: str) -> Path:
    if not os.path.exists(text):
        raise argparse.ArgumentTypeError(f"{text}: no such file or folder")
    return Path(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
