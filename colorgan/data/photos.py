"""The embedded photographs: nothing to download, enough to watch the machinery work."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from colorgan.errors import UserError
from colorgan.imaging import images

# Of the pictures in scikit-image's wheel, those that are photographs of the colored world. Left out: stains and eye
# grounds under a microscope (ihc, retina), a sky that is black with gray noise (hubble_deep_field), drawings (color,
# logo), and motorcycle_right, the same scene from a hand's breadth beside. With each stand the squares (left, top,
# side) that validation looks at: all of the subject, the subject close by, and a detail of other colors.
PHOTOGRAPHS = {
    "astronaut.png": ((0, 0, 512), (120, 10, 240), (60, 190, 230)),
    "chelsea.png": ((100, 0, 300), (150, 40, 200), (60, 80, 210)),
    "coffee.png": ((120, 0, 400), (190, 10, 250), (330, 90, 200)),
    "rocket.jpg": ((110, 0, 427), (215, 90, 260), (20, 167, 260)),
    "motorcycle_left.png": ((120, 0, 500), (330, 110, 260), (440, 20, 220)),
}
SMALLEST_SIDE = 0.35  # of the short side: about 100 pixels of the smallest photograph


class Photos:
    """Crops of the five color photographs in scikit-image's wheel.

    Training sees `crops` squares, each at a place and scale that its number alone decides; validation sees three fixed
    squares of each of the same pictures. So a net memorizes them: that shows the machinery, not how well it colors.

    Raises:
        UserError: a root is given; scikit-image is not installed, or without its pictures.
    """

    def __init__(
        self,
        root: str | Path | None,  # None: the photographs are embedded
        train: bool,
        crops: int = 960,  # training squares an epoch
    ):
        if root is not None:
            raise UserError(
                f"data.root={root}: data.name=photos has photographs of its own; say data.name=folder to take those of "
                "the folder, or data.root=null"
            )
        if crops < 1:
            raise ValueError(f"crops={crops}: needs at least 1")
        self.files = list(PHOTOGRAPHS)
        self.classes = [Path(file).stem for file in self.files]
        self.boxes = [(i % len(self.files), None) for i in range(crops)] if train else _fixed_boxes()
        for file in self.files:
            _path(file)

    def __len__(self) -> int:
        """How many squares."""
        return len(self.boxes)

    def label(self, index: int) -> int:
        """Which of the photographs."""
        return self.boxes[index][0]

    def name(self, index: int) -> str:
        """The photograph's path."""
        return str(_path(self.files[self.label(index)]))

    def load(self, index: int, size: int) -> np.ndarray:
        """The square as uint8 (3, size, size)."""
        photograph = _photograph(self.files[self.label(index)])
        left, top, side = self.boxes[index][1] or _random_box(index, *photograph.size)
        return images.thumbnail_of(photograph.crop((left, top, left + side, top + side)), size)


def paths() -> list[Path]:
    """The embedded photographs' files, for `make sample`."""
    return [_path(file) for file in PHOTOGRAPHS]


def _fixed_boxes() -> list[tuple[int, tuple[int, int, int] | None]]:
    return [(label, box) for label, boxes in enumerate(PHOTOGRAPHS.values()) for box in boxes]


def _random_box(index: int, width: int, height: int) -> tuple[int, int, int]:
    """Left, top and side of the square that number `index` decides."""
    generator = np.random.default_rng(index)
    short = min(width, height)
    side = round(short * generator.uniform(SMALLEST_SIDE, 1))
    return int(generator.integers(width - side + 1)), int(generator.integers(height - side + 1)), side


def _path(file: str) -> Path:
    """Where the wheel put the file. scikit-image is not imported: that takes a second, and it may call the network."""
    package = find_spec("skimage")
    if package is None or not package.submodule_search_locations:
        raise UserError("data.name=photos needs scikit-image, whose wheel holds them: pip install scikit-image")
    path = Path(package.submodule_search_locations[0]) / "data" / file
    if not path.is_file():
        raise UserError(
            f"{path}: not in this scikit-image; install its wheel: pip install --force-reinstall scikit-image"
        )
    return path


@cache
def _photograph(file: str) -> Image.Image:
    """The decoded photograph, once a process: five take 4 MB."""
    try:
        with Image.open(_path(file)) as image:
            return image.convert("RGB")
    except OSError as error:
        raise UserError(f"{_path(file)}: not a readable picture ({error})") from error
