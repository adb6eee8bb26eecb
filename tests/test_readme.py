import contextlib
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from colorgan import export, release, sample, train
from tests.conftest import TINY, tiny

README = Path("README.md").read_text()
COMMANDS = [
    line.split("  #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.S)
    for line in block.replace("\\\n", "").splitlines()
]
MAKE = [command for command in COMMANDS if command.startswith("make ")]
TRAIN = [command for command in COMMANDS if command.startswith("python -m colorgan.train ")]
SAMPLE = [command for command in COMMANDS if command.startswith("python -m colorgan.sample ")]
EXPORT = [command for command in COMMANDS if command.startswith("python -m colorgan.export ")]
RELEASE = [command for command in COMMANDS if command.startswith("python -m colorgan.release ")]
EVALUATE = [command for command in COMMANDS if command.startswith("python -m colorgan.evaluate ")]
COMPARE = [command for command in COMMANDS if command.startswith("python -m colorgan.compare ")]
TURING = [command for command in COMMANDS if command.startswith("python -m colorgan.turing ")]
BENCH = [command for command in COMMANDS if command.startswith("python -m colorgan.bench ")]
DOCTOR = [command for command in COMMANDS if command.startswith("python -m colorgan.doctor")]


def test_every_command_is_of_a_kind_that_is_checked():
    assert set(COMMANDS) == {
        *MAKE,
        *TRAIN,
        *SAMPLE,
        *RELEASE,
        *EXPORT,
        *EVALUATE,
        *COMPARE,
        *TURING,
        *BENCH,
        *DOCTOR,
        ". .venv/bin/activate",
    }


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
@pytest.mark.parametrize("command", MAKE)
def test_make_knows_the_target(command):
    subprocess.run([*shlex.split(command), "-n"], check=True, capture_output=True)


def test_the_runs_and_the_coloring_work_in_the_order_of_the_page(tmp_path, monkeypatch, folder):
    root = Path.cwd()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").symlink_to(root / "experiments")
    folder.rename("PHOTOGRAPHS")
    shutil.copytree("PHOTOGRAPHS", "OTHERS")
    Image.new("L", (40, 30), 90).save("old.jpg")
    Path("album").mkdir()
    Image.new("L", (30, 40), 90).save("album/a.png")
    assert train.main(["experiments/gan.yaml", *TINY]) == 0
    for command in [*TRAIN, *SAMPLE, *RELEASE, *EXPORT]:
        command, _, output = command.partition(" > ")
        module, arguments = command.split()[2], shlex.split(command)[3:]
        if module != "colorgan.train":
            with open(output or os.devnull, "w") as file, contextlib.redirect_stdout(file):
                commands = {"colorgan.sample": sample, "colorgan.release": release, "colorgan.export": export}
                assert commands[module].main(arguments) == 0
        else:
            keep = [
                item
                for item in tiny(arguments[0])
                if not (item.startswith("trainer.max_epochs") and "max_epochs" in command)
            ]
            small = " ".join([*arguments, *keep]).replace("epochs=40", "epochs=2").replace("epochs=60", "epochs=3")
            assert train.main([*small.split(), "data.near_gray=0"]) == 0
    for folder in ("colorized", "hinted"):
        with Image.open(f"{folder}/old.jpg") as picture:
            assert picture.size == (40, 30)
