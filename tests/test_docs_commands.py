"""The commands of docs/: each names a command, options and keys that there are."""

import contextlib
import io
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from colorgan.__main__ import COMMANDS
from colorgan.packaged import experiments

PAGES = [Path("CONTRIBUTING.md"), Path("checkpoints/README.md"), *sorted(Path("docs").glob("*.md"))]
KEYS = re.findall(r"^\| `([\w.]+)` \|", Path("docs/experiments.md").read_text(encoding="utf-8"), re.M)


def commands():
    """Page, command and arguments of each line of a block of a shell, and of each command within a sentence."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", text, re.S)
        lines = [line for block in blocks for line in block.replace("\\\n", "").splitlines()]
        for line in lines + re.findall(r"`((?:colorgan|python -m colorgan)[ .][^`]+)`", text.replace("\n", " ")):
            found = re.match(
                r"(?:srun |torchrun \S+ )*(?:python -m colorgan\.|colorgan |-m colorgan\.)(\w+)\b(.*)", line.strip()
            )
            if found and "..." not in line:
                words = shlex.split(found[2].split("  #")[0].partition(" > ")[0], comments=True)
                yield pytest.param(found[1], words, id=f"{page.name}-{line.strip()[:60]}")


def help_of(command, words):
    """The help of a command, or of its own command as in `turing make`."""
    own = words[:1] if command in ("turing", "bench") else []
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        import_module(f"colorgan.{command}").main([*own, "--help"])
    return out.getvalue()


@pytest.mark.parametrize(("command", "words"), [*commands()])
def test_a_command_of_the_docs_has_its_options(command, words):
    assert command in COMMANDS
    shown = help_of(command, words)
    assert "usage:" in shown
    options = {word.split("=")[0] for word in words if word.startswith("--")}
    assert not [option for option in options if not re.search(rf"{re.escape(option)}\b(?!-)", shown)]


@pytest.mark.parametrize(("command", "words"), [*commands()])
def test_a_command_of_the_docs_sets_keys_that_there_are(command, words):
    pairs = [word.split("=")[0].rpartition(":")[2] for word in words if re.match(r"[\w:.-]+=", word)]
    assert not [key for key in pairs if key not in KEYS]
    if command == "train":
        (named,) = [word for word in words if not word.startswith("--") and "=" not in word][:1] or ["NAME"]
        assert named in experiments() or named.isupper() or Path(named).exists()
