import hashlib
from pathlib import Path

from PIL import Image
from torchvision.transforms.functional import to_tensor

from colorgan import load
from colorgan.color import split
from colorgan.colorizer import checkpoint
from colorgan.data.photos import paths
from colorgan.sample import main as sample_main

CARD = Path("checkpoints/README.md").read_text()


def test_it_is_the_file_of_the_model_card_and_small():
    assert hashlib.sha256(checkpoint.RELEASED.read_bytes()).hexdigest() in CARD
    assert checkpoint.RELEASED.stat().st_size < 30e6


def test_it_colors_where_no_checkpoint_is_named(tmp_path, capsys):
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


def test_where_it_is_missing_one_line_says_so(tmp_path, monkeypatch, capsys):
    missing = tmp_path / "colorgan-scenes.ckpt"
    monkeypatch.setattr(checkpoint, "RELEASED", missing)
    (tmp_path / "a.png").write_bytes(b"")
    assert sample_main([str(tmp_path / "a.png"), "--ckpt", str(missing)]) == 2
    assert "name a checkpoint" in capsys.readouterr().err
