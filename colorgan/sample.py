"""Colors photographs at their full resolution: `python -m colorgan.sample --ckpt CKPT [--out DIR] INPUT ...`."""

import argparse
import itertools
import os
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from colorgan import images, load
from colorgan.errors import UserError
from colorgan.images import Photograph
from colorgan.outputs import Job, make_plan
from colorgan.pixels import quiet
from colorgan.systems import Colorizer

READERS = 3  # threads that read and write; so many photographs are decoded ahead, too
BATCH_VALUES = 3 * 2**24  # a batch ends at so many values, however few photographs they are: bounds the memory


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
    parser.add_argument("--decode", help="how a predicted distribution becomes a color; a wrong word lists them")
    parser.add_argument("--samples", type=_positive, default=1, metavar="N", help="so many answers for each photograph")
    parser.add_argument("--seed", type=int, help="draws a sample; sample n of seed S is sample 1 of seed S+n-1 (0)")
    args = parser.parse_args(argv)
    if args.samples > 1 or args.seed is not None:
        if args.decode not in (None, "sample"):
            parser.error(f"--decode {args.decode} has one answer; leave it out, or --samples and --seed")
        args.decode = "sample"
    args.seed = args.seed or 0
    return args


def run(args: argparse.Namespace) -> int:
    """Colors all inputs, reports, and returns the exit code."""
    model = load(args.ckpt, device=_device(args.device))
    if args.decode:
        choose(model, args.decode, args.seed)
    plan = make_plan(args.inputs, args.out, f".{args.format}" if args.format else None, args.overwrite, args.samples)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {args.out}: {error.strerror}") from error
    console = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
    for line in plan.notes + plan.refused:
        console.print(line)
    failed = len(plan.refused)
    with Progress(console=console, disable=len(plan.jobs) < 2 or not sys.stderr.isatty()) as progress:
        results = color_samples(model, plan.jobs, args)
        for error in progress.track(results, total=len(plan.jobs), description="coloring"):
            if error:
                console.print(str(error))
                failed += 1
    colored = len(plan.jobs) + len(plan.refused) - failed
    hint = " (already there: --overwrite replaces them)" if plan.skipped else ""
    print(f"{colored} colored, {plan.skipped} skipped{hint}, {failed} failed: see {args.out}")
    return 1 if failed else 0


def choose(model: Colorizer, decoding: str, seed: int) -> None:
    """Sets how the model's codec decodes; raises UserError where it does not know this way."""
    if not hasattr(model.codec, "choose"):
        raise UserError(
            "--decode, --samples, --seed: this model predicts one color, not a distribution; leave them out"
        )
    model.codec.choose(decoding, seed)


def color_samples(model: Colorizer, jobs: list[Job], args: argparse.Namespace) -> Iterator[UserError | None]:
    """Colors the photographs as `color`, each sample with a seed of its own."""
    for sample, group in itertools.groupby(jobs, key=lambda job: job.sample):
        if args.decode:
            choose(model, args.decode, args.seed + sample)
        yield from color(model, list(group), args.size, args.batch_size)


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
    for job in jobs:
        ahead.append((job.target, pool.submit(images.read, job.source)))
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
