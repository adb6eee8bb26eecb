"""The entry of all commands: whatever goes wrong there is one line and an exit code."""

import argparse
import os
import signal
import subprocess
import sys
import threading
from importlib import import_module

import pytest

from colorgan import cli
from colorgan.__main__ import COMMANDS
from colorgan.errors import UserError, one_line


def fail(error):
    def command(*arguments, **options):
        raise error

    return command


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("x.ckpt: broken"), "error: x.ckpt: broken\n"),
        (PermissionError(13, "Permission denied", "a\nb.jpg"), "error: a\\nb.jpg: Permission denied\n"),
        (OSError(28, "No space left on device"), "error: No space left on device\n"),
        (OSError("a library's own words\nin two lines"), "error: a library's own words\\nin two lines\n"),
        (OSError(), "error: OSError\n"),
    ],
    ids=["user", "file", "disk", "library", "bare"],
)
def test_every_command_words_its_errors_alike(monkeypatch, capsys, name, error, line):
    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", fail(error))
    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_intermixed_args", fail(error))
    assert import_module(f"colorgan.{name}").main(["x"] if name != "bench" else ["sample"]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", line)


def test_ctrl_c_says_what_becomes_of_the_work(capsys):
    assert cli.run(fail(KeyboardInterrupt()), "nothing is written") == 130
    assert capsys.readouterr().err == "interrupted; nothing is written\n"


def test_sigterm_removes_what_is_unfinished_and_says_so(capsys, tmp_path):
    before = signal.getsignal(signal.SIGTERM)

    def command():
        part = tmp_path / "x.part"
        part.touch()
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(30)
        except Exception as error:
            raise AssertionError("taken for an error of the command") from error
        finally:
            part.unlink()

    assert cli.run(command, "nothing is written") == 143
    assert capsys.readouterr().err == "terminated; nothing is written\n"
    assert list(tmp_path.iterdir()) == [] and signal.getsignal(signal.SIGTERM) is before


def test_a_command_in_another_thread_leaves_signals_alone():
    codes = []
    thread = threading.Thread(target=lambda: codes.append(cli.run(lambda: 0, "")))
    thread.start()
    thread.join()
    assert codes == [0]


PRINTING = "import sys; from colorgan import cli; sys.exit(cli.run(lambda: print('done') or 0, ''))"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["-c", PRINTING], ["-m", "colorgan", "--help"]], ids=["a command", "the list"])
def test_a_closed_pipe_is_quiet(arguments, unbuffered):
    read, write = os.pipe()
    os.close(read)
    command, environment = [sys.executable, *arguments], os.environ | {"PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_names_that_are_no_text_are_printed_whatever_the_console_takes():
    code = "from colorgan import cli; cli.run(lambda: print('caf\\u00e9-\\udce9.jpg') or 0, '')"
    environment = os.environ | {"PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert (done.stdout, done.stderr) == ("caf\\xe9-\\udce9.jpg\n", "")


def test_an_error_is_one_line_and_cannot_steer_the_terminal():
    assert str(UserError("a\nb\x1b[2J\r\udce9.jpg: no é")) == r"a\nb\x1b[2J\r\udce9.jpg: no é"
    assert one_line("plain 中文 text") == "plain 中文 text"
