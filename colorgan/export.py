"""Write a trained colorizer as a file for other programs: `colorgan export CKPT OUT.onnx`."""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from colorgan import __version__, cli
from colorgan.cli import Parser, checkpoint_path, existing_path, new_file, program
from colorgan.errors import UserError

SUFFIXES = {"onnx": ".onnx", "safetensors": ".safetensors", "torch-export": ".pt2"}
EXTRA = ("onnx", "onnxscript", "onnxruntime")  # that the extra `onnx` of pyproject.toml installs


def main(argv: list[str] | None = None) -> int:
    """Write the file; return the exit code."""
    return cli.run(lambda: _export(_parser().parse_args(argv)), "nothing was written")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog=program("export"),
        description="Write the averaged model of a checkpoint for other programs: a graph that maps L of Lab "
        "(B, 1, H, W) to ab (B, 2, h, w) for any batch and size, as ONNX or a program of torch.export; or its weights "
        "as safetensors, which every command takes as a checkpoint. docs/export.md says how it is used.",
    )
    parser.add_argument("ckpt", type=checkpoint_path, metavar="CKPT", help="a checkpoint")
    parser.add_argument("out", type=Path, metavar="OUT", help="new file to write")
    parser.add_argument("--format", choices=SUFFIXES, help="format (that of the suffix: .onnx, .safetensors or .pt2)")
    forms = "of the stored weights; what is computed is float32 (%(default)s)"
    parser.add_argument("--precision", choices=["float32", "float16", "int8"], default="float32", help=forms)
    parser.add_argument("--hints", action="store_true", help="color hints (B, 3, H, W) are a second input")
    parser.add_argument("--decode", help="how a predicted distribution becomes a color (as in training)")
    parser.add_argument("--license", metavar="NAME", help="of the weights, for the metadata")
    parser.add_argument(
        "--card", type=existing_path, metavar="FILE", help="text for the metadata (made of the experiment)"
    )
    return parser


def _export(args: argparse.Namespace) -> int:
    format = _format_of(args.out, args.format)
    if format == "onnx" and (missing := [name for name in EXTRA if not find_spec(name)]):
        raise UserError(f"--format onnx needs {', '.join(missing)}: pip install 'colorgan[onnx]'")
    out = new_file(str(args.out))
    from colorgan.colorizer import checkpoint
    from colorgan.exporting.description import describe
    from colorgan.exporting.files import unfinished, write
    from colorgan.exporting.parity import TOLERANCE, largest_difference

    content = checkpoint.read(args.ckpt)
    colorizer = checkpoint.colorizer_of(content, args.ckpt).eval()
    experiment = checkpoint.shareable(content["experiment"])
    if args.decode:
        colorizer.choose_decoding(args.decode)
        experiment["codec"] = {**experiment["codec"], "decoding": args.decode}
    metadata = describe(colorizer, experiment, __version__, args.license, _text(args.card))
    with unfinished(out) as temporary:
        run = write(colorizer, temporary, format, metadata, args.precision, args.hints)
        difference = largest_difference(colorizer, run, args.hints)
        if args.precision == "float32" and not difference <= TOLERANCE:
            raise UserError(f"{args.ckpt}: the {format} file would be off by {difference:.3g} Lab units: not written")
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, at most {difference:.2g} Lab units from torch on random pictures")
    return 0


def _format_of(out: Path, given: str | None) -> str:
    """Return the format of a file, which its suffix says too."""
    format = given or next((name for name, suffix in SUFFIXES.items() if suffix == out.suffix), None)
    if format is None:
        raise UserError(f"{out}: name it *{', *'.join(SUFFIXES.values())}, which says the format")
    if out.suffix != SUFFIXES[format]:
        raise UserError(f"{out}: a file of --format {format} ends in {SUFFIXES[format]}")
    return format


def _text(card: Path | None) -> str | None:
    if card is None:
        return None
    try:
        return card.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"--card {card}: not a readable text ({error})") from None


if __name__ == "__main__":
    sys.exit(main())
