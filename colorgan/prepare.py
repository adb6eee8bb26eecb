"""Make a training set of folders of photographs: `python -m colorgan.prepare SRC [SRC ...] DST`."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from colorgan import cli
from colorgan.cli import Parser, existing_path, nonnegative_float, positive_int, program, usable_cores
from colorgan.errors import UserError, one_line

if TYPE_CHECKING:
    from colorgan.data.examination import Record

_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9}


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 1 a file was unreadable, 2 bad usage, 130 interrupted."""
    return cli.run(lambda: run(parse(argv)), "the same command continues from there")


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Parse the command line; raise UserError if it is wrong."""
    description = "Make a checked, deduplicated, resized and split training set of folders of photographs."
    parser = Parser(prog=program("prepare"), description=description)
    parser.add_argument(
        "sources", nargs="+", type=existing_path, metavar="SRC", help="a folder of photographs; it is only read"
    )
    parser.add_argument("target", type=Path, metavar="DST", help="folder of the training set, for data.root=DST")
    size = "short side of the pictures in px; smaller photographs keep their size (%(default)s)"
    parser.add_argument("--size", type=positive_int, default=288, help=size)
    parser.add_argument("--quality", type=positive_int, default=95, help="of the JPEG files, 1 to 100 (%(default)s)")
    parser.add_argument(
        "--val-share", type=nonnegative_float, default=0.1, help="share of the pictures to validate on (%(default)s)"
    )
    gray = "leave out photographs with less color than this, gray and toned ones; 0 keeps them (%(default)s)"
    parser.add_argument("--near-gray", type=nonnegative_float, default=3.5, help=gray)
    least = "leave out photographs with a shorter side than this, in px (%(default)s)"
    parser.add_argument("--min-size", type=positive_int, default=64, help=least)
    shards = (
        "pack the set into tar files of about this size too, as in 64M or 1G (64M), in DST/shards, for data.name=stream"
    )
    parser.add_argument("--shards", nargs="?", type=_size_in_bytes, const="64M", metavar="BYTES", help=shards)
    jobs = "number of processes (one per core, %(default)s)"
    parser.add_argument("--jobs", type=positive_int, default=usable_cores(), help=jobs)
    args = parser.parse_args(argv)
    if args.quality > 100:
        parser.error(f"--quality {args.quality}: at most 100")
    if args.val_share >= 1:
        parser.error(f"--val-share {args.val_share:g}: must be below 1")
    return args


def _size_in_bytes(text: str) -> int:
    """Parse a size, as in 500000, 500K, 64M or 1G."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "")
    if not number.isdecimal() or int(number) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a size such as 64M; name folders before --shards")
    return int(number) * _UNITS.get(unit, 1)


def run(args: argparse.Namespace) -> int:
    """Prepare the training set, print a summary, and return the exit code."""
    from rich.progress import Progress

    from colorgan.data.examination import UNREADABLE, Settings
    from colorgan.data.folder import ImageFolder
    from colorgan.data.preparation import prepare
    from colorgan.data.shards import write_shards

    settings = Settings(args.size, args.quality, args.val_share, args.near_gray, args.min_size)
    console = cli.make_console()
    with Progress(console=console, disable=not sys.stderr.isatty()) as progress:

        def watch(records: Iterable["Record"], total: int) -> Iterator["Record"]:
            for record in progress.track(records, total=total, description="reading"):
                if record.verdict == UNREADABLE:
                    console.print(one_line(f"{record.picture}: {record.why}"))
                yield record

        try:
            lines = prepare(args.sources, args.target, settings, args.jobs, watch)
            if args.shards:
                splits = {split: ImageFolder(args.target, split == "train") for split in ("train", "val")}
                packed = write_shards(
                    splits,
                    args.target / "shards",
                    args.shards,
                    lambda s, n: progress.track(s, n, description="packing"),
                )
        except OSError as error:
            raise UserError(f"{error.filename or args.target}: {error.strerror or error}") from error
    splits = Counter(str(line["kept"]).partition("/")[0] for line in lines if "kept" in line)
    reasons = Counter(str(line["left_out"]) for line in lines if "left_out" in line)
    left_out = f"{reasons.total()} left out"
    if reasons:
        left_out += f" ({', '.join(f'{count} {reason}' for reason, count in sorted(reasons.items()))})"
    kept = f"{splits.total()} kept ({splits['train']} train, {splits['val']} val)"
    print(f"{kept}, {left_out}: see {args.target / 'manifest.jsonl'}")
    if more := sum("further_pages" in line for line in lines):
        print(f"of {more} with further pages or frames only the first was read")
    if args.shards:
        print(f"{args.target / 'shards'}: {'shards for data.name=stream' if packed else 'has these shards already'}")
    return 1 if reasons[UNREADABLE] else 0


if __name__ == "__main__":
    sys.exit(main())
