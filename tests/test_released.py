import hashlib
from pathlib import Path

import numpy as np
from PIL import Image
from torchvision.transforms.functional import to_tensor

from colorgan import load
from colorgan.color import split
from colorgan.data.photos import paths
from colorgan.packaged import released
from colorgan.sample import main as sample_main

CARD = Path("checkpoints/README.md").read_text()


def test_it_is_the_file_of_the_model_card_and_small():
    assert hashlib.sha256(released().read_bytes()).hexdigest() in CARD
    assert released().stat().st_size < 30e6


def test_it_colors_where_no_checkpoint_is_named(tmp_path):
    with Image.open(paths()[0]) as image:
        image.convert("L").resize((96, 96)).save(tmp_path / "gray.png")
    assert sample_main([str(tmp_path / "gray.png"), "--out", str(tmp_path / "out")]) == 0
    with Image.open(tmp_path / "out/gray.png") as colored:
        assert colored.mode == "RGB" and len(colored.getcolors(96 * 96)) > 256  # more than grays


def test_it_paints_the_evening_sky_blue():
    (rocket,) = (path for path in paths() if path.stem == "rocket")
    with Image.open(rocket) as image:
        ab = split(to_tensor(load().colorize(image.convert("L"))).unsqueeze(0))[1][0]
    sky = ab[:, : ab.shape[1] // 2]
    assert sky[1].mean() < -10 and (sky[1] < -5).float().mean() > 0.75  # b below 0 is blue


def test_it_colors_to_the_same_bytes_as_in_0_1():
    """No value of this picture comes close to where rounding to 8 bits turns (0.006 levels; other CPUs: 0.0001)."""
    gray = np.random.default_rng(95).integers(0, 256, (3, 4), np.uint8).repeat(5, 0).repeat(5, 1)
    digest = hashlib.sha256(load().colorize(gray).tobytes()).hexdigest()
    assert digest == "c20ef85fa5e7fffb732e9eef2e86c032c422e876ad6b944d7d153faed86495da"
