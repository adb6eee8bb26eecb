"""The example of docs/export.md colors a photograph."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorgan import export

(EXAMPLE,) = re.findall(r"```python\n(.*?)```", Path("docs/export.md").read_text(encoding="utf-8"), re.S)


@pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")  # a random net predicts colors that no screen has
def test_the_example_colors_a_photograph(tiny_train, tmp_path, monkeypatch, gray):
    assert tiny_train("net=resunet", "net.width=4", "net.blocks=1", "system=supervised", "optim.lr=0.1") == 0
    assert export.main([str(tmp_path / "run/last.ckpt"), str(tmp_path / "colorgan.onnx")]) == 0
    monkeypatch.chdir(tmp_path)
    Image.fromarray(gray).resize((90, 66)).save("old.jpg")
    exec(EXAMPLE, {})
    with Image.open("colored.png") as picture:
        assert picture.size == (90, 66)
        assert np.ptp(np.asarray(picture).astype(int), axis=2).max() > 2  # not gray


def test_the_example_has_fifteen_lines():
    assert len(EXAMPLE.strip().splitlines()) <= 15
