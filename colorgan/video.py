"""Color a video: `colorgan video IN OUT`."""

import argparse
import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from colorgan import cli, remote
from colorgan.cli import (
    Parser,
    add_device_option,
    existing_path,
    nonnegative_float,
    pick_device,
    positive_int,
    program,
    require_video_extra,
)
from colorgan.errors import UserError

CODECS = ("h264", "h265", "vp9", "av1", "prores", "ffv1")  # as in frames/codecs.py, which is heavy to import


def main(argv: list[str] | None = None) -> int:
    """Color a video; return the exit code: 0 done, 1 parts of it could not be read, 2 bad usage, 130 interrupted."""
    return cli.run(lambda: _run(_parse(argv)), "the same command goes on from there")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(
        prog=program("video"),
        description="Color a video. Sound, subtitles and time stamps stay as they are. The same command goes on with a "
        "video that was interrupted. docs/video.md says more.",
    )
    parser.add_argument("source", type=existing_path, metavar="IN", help="a video")
    parser.add_argument("out", type=Path, metavar="OUT", help="new file: *.mp4, .mov, .mkv or .webm")
    parser.add_argument("--ckpt", help="a checkpoint of a training run (the released one)")
    parser.add_argument("--codec", choices=CODECS, help="of the frames (h264; vp9 in .webm)")
    parser.add_argument("--size", type=positive_int, help="short side in px to predict color at (the model's own)")
    parser.add_argument(
        "--saturation", type=nonnegative_float, default=1.0, help="below 1 pale, above 1 vivid (%(default)s)"
    )
    parser.add_argument("--alone", action="store_true", help="color each frame by itself, which flickers")
    add_device_option(parser)
    return parser.parse_args(argv)


def _run(args: argparse.Namespace) -> int:
    require_video_extra()
    out = cli.new_file(str(args.out))
    from rich.progress import Progress

    from colorgan.colorizer.checkpoint import load
    from colorgan.frames.codecs import choose
    from colorgan.frames.coloring import Options, color_video
    from colorgan.packaged import released

    codec = choose(out, args.codec)
    model = load(args.ckpt, device=pick_device(args.device))
    console = cli.make_console()
    plan = {
        "source": [args.source.name, args.source.stat().st_size, args.source.stat().st_mtime_ns],
        "ckpt": hashlib.sha256(remote.fetch(args.ckpt or released()).read_bytes()).hexdigest(),
    }
    with Progress(console=console, disable=not sys.stderr.isatty()) as progress, _writing(out):
        task = progress.add_task("coloring", total=None)
        result = color_video(
            model,
            args.source,
            out,
            codec,
            Options(args.size, args.saturation, args.alone),
            plan,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    for note in result.notes:
        console.print(note)
    went_on = f", {result.continued} of them before" if result.continued else ""
    cuts = f", cuts: {result.cuts}" if result.cuts else ""
    print(f"{out}: {result.frames} frames colored{went_on}{cuts}")
    return 1 if result.broken else 0


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """Turn an error of FFmpeg into one line."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}); the same command goes on from there") from None


if __name__ == "__main__":
    cli.exit_quickly(main())
