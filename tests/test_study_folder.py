import json
import re

import numpy as np
import pytest
from PIL import Image

from colorgan.errors import UserError
from colorgan.study import folder
from colorgan.study.folder import Study
from colorgan.study.protocol import Protocol


def a_study(root, systems=("gan",), pictures=54, **protocol):
    """A study of small plain pictures on disk: level 40 is real, 80 random, 120 the first system's, and so on."""
    study = Study(root, list(systems), [f"sea/{i}" for i in range(pictures)], 16, 0, Protocol(**protocol))
    for level, name in enumerate(["real", "random", *systems], start=1):
        (root / "pictures" / name).mkdir(parents=True)
        first = root / "pictures" / name / "0000.png"
        Image.fromarray(np.full((16, 16, 3), 40 * level, dtype=np.uint8)).save(first)
        for i in range(1, pictures):
            first.with_name(f"{i:04d}.png").hardlink_to(first)
    study.save()
    return study


def test_what_is_saved_is_loaded(tmp_path):
    study = a_study(tmp_path / "study", scored=30)
    assert folder.load(tmp_path / "study") == study


def test_no_study_says_how_to_make_one(tmp_path):
    with pytest.raises(UserError, match=r"study\.json: No such file.*turing make"):
        folder.load(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"protocol": 3}', "\ufeff{"])
def test_a_broken_study_is_one_line(tmp_path, text):
    (tmp_path / "study.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="not the file that `make` wrote"):
        folder.load(tmp_path)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"size": "big"}, "holds an invalid value"),
        ({"seed": -1}, "holds an invalid value"),
        ({"systems": "gan"}, "holds an invalid value"),
        ({"pictures": [1]}, "holds an invalid value"),
        ({"systems": []}, "too few"),
        ({"pictures": ["sea/0"] * 53}, "too few"),
    ],
)
def test_a_value_that_makes_no_study_is_one_line(tmp_path, change, said):
    a_study(tmp_path / "study")
    file = tmp_path / "study/study.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(UserError, match=said):
        folder.load(tmp_path / "study")


def test_a_missing_picture_is_named(tmp_path):
    study = a_study(tmp_path / "study")
    study.real_path(7).unlink()
    with pytest.raises(UserError, match=re.escape(str(study.real_path(7)))):
        study.check_pictures()
