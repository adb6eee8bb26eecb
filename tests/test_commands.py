"""What each command imports, in a process of its own: `--help` answers at once, and coloring loads no trainer."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from colorgan.__main__ import COMMANDS

ROOT = Path(__file__).parent.parent
HEAVY = set("torch pytorch_lightning numpy scipy omegaconf kornia wandb rich matplotlib starlette".split())
TRAINING = set("pytorch_lightning torchmetrics wandb torchvision matplotlib jinja2 scipy timm skimage".split())


def imports(*arguments, cwd=ROOT):
    """Run Python; return its exit code, its output, and the names of all modules that it imported."""
    command = [sys.executable, "-X", "importtime", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    found = re.findall(r"^import time:.*\| *([\w.]+)$", done.stderr, re.M)
    return done.returncode, done.stdout, set(found)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_imports_nothing_heavy(command):
    code, output, found = imports("-m", f"colorgan.{command}", "--help")
    assert code == 0 and output.startswith("usage:")
    assert not found & HEAVY


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_console_script_imports_nothing_heavy(option):
    code, _, found = imports("-m", "colorgan", option)
    assert code == 0
    assert not found & HEAVY


def test_coloring_imports_only_what_colors(tmp_path):
    Image.new("L", (40, 30), 90).save(tmp_path / "gray.png")
    code, output, found = imports("-m", "colorgan.sample", tmp_path / "gray.png", "--out", tmp_path / "out")
    assert code == 0 and output.startswith("1 colored")
    assert "torch" in found
    assert not found & {*TRAINING, "kornia", "tifffile"} - {"scipy"}  # which numba imports


def test_the_console_script_lists_its_commands_in_a_line_each():
    _, output, _ = imports("-m", "colorgan", "--help")
    for command, line in COMMANDS.items():
        assert re.search(rf"^  {command} +{re.escape(line)}$", output, re.M)


def test_there_is_no_command_that_the_console_script_does_not_know():
    files = {file.stem for file in (ROOT / "colorgan").glob("*.py") if "def main(" in file.read_text(encoding="utf-8")}
    assert files - {"__main__"} == set(COMMANDS)


def test_an_unknown_command_is_one_line_and_2():
    done = subprocess.run([sys.executable, "-m", "colorgan", "paint"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "unknown command 'paint'" in done.stderr and "sample" in done.stderr
