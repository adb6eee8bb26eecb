import hashlib
from pathlib import Path

from PIL import Image
from torchvision.transforms.functional import to_tensor

from colorgan import Hint, load
from colorgan.color import split
from colorgan.data.photos import paths
from colorgan.packaged import released
from colorgan.sample import main as sample_main

CARD = Path("checkpoints/README.md").read_text()


def test_it_is_the_file_of_the_model_card_and_small():
    assert hashlib.sha256(released().read_bytes()).hexdigest() in CARD
    assert released().stat().st_size < 20e6


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


def test_it_paints_skin():
    """The face of the astronaut; its true mean color is a = 9, b = 17."""
    (astronaut,) = (path for path in paths() if path.stem == "astronaut")
    with Image.open(astronaut) as image:
        face = split(to_tensor(load().colorize(image.convert("L")))[None])[1][0, :, 95:155, 190:255]
    a, b = face.mean(dim=(1, 2)).tolist()
    assert 5 < a < 20 and 8 < b < 25


def test_it_takes_hints():
    (coffee,) = (path for path in paths() if path.stem == "coffee")
    with Image.open(coffee) as image:
        gray = image.convert("L")
    x, y = gray.width // 2, gray.height * 9 // 10  # the saucer
    colors = []
    for color in ((160, 40, 40), (40, 60, 160)):
        ab = split(to_tensor(load().colorize(gray, hints=[Hint(x, y, color, 8)]))[None])[1][0]
        colors.append(ab[:, y - 10 : y + 10, x - 10 : x + 10].mean(dim=(1, 2)).tolist())
    red, blue = colors
    assert red[0] > 20 and red[1] > 5
    assert blue[1] < -15
