"""Colors photographs at their full resolution: `python -m colorgan.sample [--ckpt CKPT] [--out DIR] INPUT ...`."""

import argparse
import itertools
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from colorgan import cli, load
from colorgan.cli import Parser, add_device, existing, factor, pick_device, positive
from colorgan.colorizer.checkpoint import RELEASED
from colorgan.colorizer.upsampling import UPSAMPLERS
from colorgan.errors import UserError
from colorgan.imaging import images
from colorgan.imaging.images import Photograph
from colorgan.imaging.outputs import Job, make_plan
from colorgan.systems import Colorizer

READERS = 3  # threads that read and write; so many photographs are decoded ahead, too
BATCH_VALUES = 3 * 2**24  # a batch ends at so many values, however few photographs they are: bounds the memory

Paint = Callable[[list[Tensor]], list[Tensor]]


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code: 0 all good, 1 some file failed, 2 bad usage."""
    return cli.run(lambda: run(parse(argv)), "what is colored stays, and the same command goes on from there")


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The options; raises UserError for wrong ones."""
    parser = Parser(prog="python -m colorgan.sample", description=__doc__)
    parser.add_argument("inputs", nargs="+", type=existing, metavar="INPUT", help="a photograph or a folder of them")
    parser.add_argument("--ckpt", default=RELEASED, help="a checkpoint of a training run (the released generator)")
    parser.add_argument("--out", type=Path, default=Path("colorized"), help="the folder to write to (%(default)s)")
    parser.add_argument("--size", type=positive, help="short side in px to predict color at (the model's own)")
    add_device(parser)
    edges = "guided: color comes from pixels of the same lightness, so it stays within edges (%(default)s)"
    parser.add_argument("--upsample", choices=UPSAMPLERS, default="guided", help=edges)
    parser.add_argument("--saturation", type=factor, default=1.0, help="below 1 pale, above 1 vivid (%(default)s)")
    parser.add_argument("--batch-size", type=positive, default=8, help="photographs at a time (%(default)s)")
    formats = [suffix.removeprefix(".") for suffix in images.SUFFIXES]
    parser.add_argument("--format", choices=formats, type=str.lower, help="write this format (that of the input)")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that are there; never an input")
    parser.add_argument("--decode", help="how a predicted distribution becomes a color; a wrong word lists them")
    parser.add_argument("--samples", type=positive, default=1, metavar="N", help="so many answers for each photograph")
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
    model = load(args.ckpt, device=pick_device(args.device))
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
        paint = partial(model.paint, size=args.size, upsample=args.upsample, saturation=args.saturation)
        yield from color(paint, list(group), args.batch_size)


def color(paint: Paint, jobs: list[Job], batch_size: int) -> Iterator[UserError | None]:
    """Colors and writes the photographs; yields for each None, or what went wrong."""
    batch: list[tuple[Path, Photograph]] = []
    with ThreadPoolExecutor(READERS) as pool:
        for target, future in _read_ahead(pool, jobs):
            try:
                batch.append((target, future.result()))
            except UserError as error:
                yield error
            if len(batch) == batch_size or sum(photograph.rgb.size for _, photograph in batch) > BATCH_VALUES:
                yield from _color_batch(pool, paint, batch)
                batch.clear()
        yield from _color_batch(pool, paint, batch)


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
    pool: ThreadPoolExecutor, paint: Paint, batch: list[tuple[Path, Photograph]]
) -> Iterator[UserError | None]:
    targets, photographs = [target for target, _ in batch], [photograph for _, photograph in batch]
    pictures = [torch.from_numpy(photograph.rgb).permute(2, 0, 1) for photograph in photographs]
    return pool.map(_finish, targets, photographs, _paint_all(paint, pictures))


def _paint_all(paint: Paint, pictures: list[Tensor]) -> list[Tensor | Exception]:
    """The colored pictures; where a batch fails (of memory, mostly), each picture gets a chance alone."""
    try:
        return paint(pictures) if pictures else []
    except (RuntimeError, MemoryError) as error:
        if len(pictures) == 1:
            return [error]
    return [_paint_all(paint, [picture])[0] for picture in pictures]


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


if __name__ == "__main__":
    sys.exit(main())
