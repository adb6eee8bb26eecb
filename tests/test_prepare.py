"""`colorgan.prepare`: what is kept, what is left out and why, and that a killed run goes on to the same result."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from colorgan import prepare
from colorgan.data.folder import ImageFolder
from colorgan.imaging import images

KILLED = """
import os, signal
from colorgan import prepare
from colorgan.data import preparation

def examine(task, settings, real=preparation.examine):
    if task.picture.endswith("7.png"):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(task, settings)

preparation.examine = examine
prepare.main()
"""

KILLED_LATE = """
import os, signal
from pathlib import Path
from colorgan import prepare
from colorgan.data import preparation

moved = []

def replace(source, target, real=os.replace):
    if "train" in Path(target).parts:
        moved.append(target)
    if len(moved) > 5:
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, target)

preparation.os.replace = replace
prepare.main()
"""


def scene(seed, width=120, height=96):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "photos"
    for i in range(24):
        path = folder / ("sea", "wood")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        scene(i).save(path)
    return folder


def tree(folder):
    """All files below a folder and what they hold; the lock is empty."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "lock"}


def call(*arguments):
    return prepare.main([*map(str, arguments), "--jobs", "1"])


def manifest(target):
    lines = map(json.loads, (target / "manifest.jsonl").read_text().splitlines())
    return {line["picture"]: line for line in lines}


def test_the_result_is_a_training_set_and_the_source_is_unchanged(source, tmp_path, capsys):
    before = tree(source)
    assert call(source, tmp_path / "set", "--size", 72) == 0
    assert capsys.readouterr().out.startswith("24 kept (")
    assert tree(source) == before
    splits = [ImageFolder(tmp_path / "set", train) for train in (True, False)]
    assert sum(map(len, splits)) == 24 and splits[0].classes == ["sea", "wood"]
    assert {min(images.shape(p)) for p in (tmp_path / "set").rglob("*.jpg")} == {72}


def test_each_reason_is_in_the_manifest(source, tmp_path):
    (source / "broken.jpg").write_bytes(b"no picture")
    os.mkfifo(source / "pipe.jpg")
    scene(90, 60, 40).save(source / "small.png")
    scene(91).convert("L").save(source / "gray.png")
    scene(0, 240, 192).save(source / "large.png")
    assert call(source, tmp_path / "set") == 1
    lines = manifest(tmp_path / "set")
    assert (
        lines["photos/broken.jpg"]["left_out"] == "unreadable"
        and "not a photograph" in lines["photos/broken.jpg"]["why"]
    )
    assert lines["photos/pipe.jpg"]["why"] == "not a regular file"
    assert lines["photos/small.png"]["left_out"] == "too small"
    assert lines["photos/gray.png"]["left_out"] == "near-gray"
    assert lines["photos/sea/0.png"]["of"] == "photos/large.png" and "kept" in lines["photos/large.png"]


def test_further_pages_are_named(source, tmp_path, capsys):
    scene(92).save(source / "pages.tif", save_all=True, append_images=[scene(93)])
    assert call(source, tmp_path / "set") == 0
    assert capsys.readouterr().out.endswith("of 1 with further pages or frames only the first was read\n")
    assert [name for name, line in manifest(tmp_path / "set").items() if "further_pages" in line] == [
        "photos/pages.tif"
    ]


def test_what_is_kept_stays_when_a_larger_copy_is_added(source, tmp_path):
    call(source, tmp_path / "set")
    before = tree(tmp_path / "set" / "train")
    scene(0, 240, 192).save(source / "sea/large.png")
    scene(99).save(source / "sea/new.png")
    assert call(source, tmp_path / "set") == 0
    lines = manifest(tmp_path / "set")
    assert lines["photos/sea/large.png"]["of"] == "photos/sea/0.png" and "kept" in lines["photos/sea/new.png"]
    assert before.items() <= tree(tmp_path / "set" / "train").items()


def test_a_killed_run_goes_on_to_the_tree_of_an_unbroken_one(source, tmp_path):
    call(source, tmp_path / "whole")
    process = subprocess.run([sys.executable, "-c", KILLED, source, tmp_path / "set", "--jobs", "1"], check=False)
    assert process.returncode == -signal.SIGKILL and not (tmp_path / "set/manifest.jsonl").exists()
    with open(tmp_path / "set/.prepare/journal.jsonl", "a") as file:
        file.write('{"picture": "torn')
    assert call(source, tmp_path / "set") == 0
    assert tree(tmp_path / "set") == tree(tmp_path / "whole")


def test_a_run_that_is_killed_while_it_moves_pictures_goes_on_to_the_same_tree(source, tmp_path):
    call(source, tmp_path / "whole")
    process = subprocess.run([sys.executable, "-c", KILLED_LATE, source, tmp_path / "set", "--jobs", "1"], check=False)
    assert process.returncode == -signal.SIGKILL and len(list((tmp_path / "set").glob("train/*/*"))) == 5
    assert call(source, tmp_path / "set") == 0
    assert tree(tmp_path / "set") == tree(tmp_path / "whole")


def test_two_processes_make_the_same_tree_as_one(source, tmp_path):
    call(source, tmp_path / "one")
    assert prepare.main([str(source), str(tmp_path / "two"), "--jobs", "2"]) == 0
    assert tree(tmp_path / "two") == tree(tmp_path / "one")


def test_folders_that_do_not_fit_are_refused(source, tmp_path, capsys):
    assert call(source, source / "set") == 2 and "never changed" in capsys.readouterr().err
    assert call(source / "sea", source) == 2 and "lies in" in capsys.readouterr().err
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious").write_text("")
    assert call(source, tmp_path / "other") == 2 and "holds other files" in capsys.readouterr().err
    call(source, tmp_path / "set")
    assert call(source, tmp_path / "set", "--size", 99) == 2 and "with size 288" in capsys.readouterr().err
