"""The console script: `colorgan COMMAND ...` is `python -m colorgan.COMMAND ...`."""

import sys
from importlib import import_module

import colorgan
from colorgan import cli
from colorgan.errors import UserError

COMMANDS = {
    "doctor": "say what this machine offers, and whether training works on it",
    "sample": "color photographs",
    "video": "color a video",
    "app": "color photographs in a browser",
    "train": "train an experiment, as in `colorgan train gan`",
    "evaluate": "measure colorizers on a folder of photographs",
    "compare": "train experiments under one budget and measure them",
    "turing": "ask people which of two pictures is recolored",
    "release": "make a small checkpoint to hand on",
    "export": "write a model as ONNX, safetensors or torch.export",
    "bench": "measure speed and memory",
    "prepare": "make a training set of folders of photographs",
    "prior": "measure how often each color bin occurs",
}


def main(argv: list[str] | None = None) -> int:
    """Run a command; return its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in COMMANDS:
        return import_module(f"colorgan.{argv[0]}").main(argv[1:])
    return cli.run(lambda: _describe(argv), "nothing is written")


def _describe(argv: list[str]) -> int:
    """Print what there is; return the exit code."""
    if argv and argv[0] == "--version":
        print(f"colorgan {colorgan.__version__}")
        return 0
    if argv and argv[0] not in ("-h", "--help"):
        raise UserError(f"unknown command '{argv[0]}'; there are {', '.join(COMMANDS)}")
    print("usage: colorgan COMMAND ...\n\nTrain, compare and use models that color gray photographs.\n\ncommands:")
    print(*(f"  {name:<10}{line}" for name, line in COMMANDS.items()), sep="\n")
    print("\n`colorgan COMMAND --help` shows the options of one; `colorgan --version` the version.")
    return 0 if argv else 2


def run() -> None:
    """Run the command of the process' arguments, and exit."""
    code = main()
    if sys.argv[1:2] in (["sample"], ["video"]):
        cli.exit_quickly(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
