"""Crops of the photographs in scikit-image's wheel: a small dataset that needs no download."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from colorgan.errors import UserError
from colorgan.imaging import images

# The color photographs of everyday scenes among the images in scikit-image's wheel. Left out: microscopy and retina
# images (ihc, retina), hubble_deep_field (a black sky with gray noise), drawings (color, logo), and motorcycle_right,
# which is the other view of the same stereo pair. The values are the validation crops (left, top, side): the whole
# subject, a close-up of the subject, and a detail with other colors.
PHOTOGRAPHS = {
    "astronaut.png": ((0, 0, 512), (120, 10, 240), (60, 190, 230)),
    "chelsea.png": ((100, 0, 300), (150, 40, 200), (60, 80, 210)),
    "coffee.png": ((120, 0, 400), (190, 10, 250), (330, 90, 200)),
    "rocket.jpg": ((110, 0, 427), (215, 90, 260), (20, 167, 260)),
    "motorcycle_left.png": ((120, 0, 500), (330, 110, 260), (440, 20, 220)),
}
MIN_SIDE = 0.35  # share of the short side: about 100 pixels of the smallest photograph


class SkimagePhotos:
    """Square crops of the five color photographs in scikit-image's wheel.

    Training uses `crops` squares, whose position and scale depend on their index alone. Validation uses three fixed
    squares of each of the same photographs, so it measures memorization: enough to check that training works, not how
    well a model colors.

    Args:
        root: must be None, because the photographs come with scikit-image.
        train: whether to return the training crops or the validation crops.
        crops: number of training crops, 1 or more.

    Raises:
        UserError: `root` is given; scikit-image is not installed, or lacks its images.
    """

    def __init__(self, root: str | Path | None, train: bool, crops: int = 960):
        if root is not None:
            raise UserError(
                f"data.root={root}: data.name=photos uses the photographs in scikit-image; set data.name=folder to use "
                "those of the folder, or data.root=null"
            )
        if crops < 1:
            raise ValueError(f"crops={crops}: needs at least 1")
        self.files = list(PHOTOGRAPHS)
        self.classes = [Path(file).stem for file in self.files]
        self.boxes = [(i % len(self.files), None) for i in range(crops)] if train else _val_boxes()
        for file in self.files:
            _path(file)

    def __len__(self) -> int:
        """Return the number of crops."""
        return len(self.boxes)

    def label(self, index: int) -> int:
        """Return which of the five photographs the crop is from."""
        return self.boxes[index][0]

    def name(self, index: int) -> str:
        """Return the path of the photograph."""
        return str(_path(self.files[self.label(index)]))

    def load(self, index: int, size: int) -> np.ndarray:
        """Return the crop, resized to uint8 (3, size, size)."""
        photograph = _load_photograph(self.files[self.label(index)])
        left, top, side = self.boxes[index][1] or _random_box(index, *photograph.size)
        return images.thumbnail_of(photograph.crop((left, top, left + side, top + side)), size)


def paths() -> list[Path]:
    """Return the paths of the five photographs, for `make sample`."""
    return [_path(file) for file in PHOTOGRAPHS]


def _val_boxes() -> list[tuple[int, tuple[int, int, int] | None]]:
    return [(label, box) for label, boxes in enumerate(PHOTOGRAPHS.values()) for box in boxes]


def _random_box(seed: int, width: int, height: int) -> tuple[int, int, int]:
    """Return left, top and side of a random square."""
    generator = np.random.default_rng(seed)
    short = min(width, height)
    side = round(short * generator.uniform(MIN_SIDE, 1))
    return int(generator.integers(width - side + 1)), int(generator.integers(height - side + 1)), side


def _path(file: str) -> Path:
    """Return the path of an image in scikit-image's wheel.

    scikit-image is located without an import, which would take a second and might access the network.

    Raises:
        UserError: scikit-image is not installed, or lacks the image.
    """
    package = find_spec("skimage")
    if package is None or not package.submodule_search_locations:
        raise UserError("data.name=photos needs the images in scikit-image's wheel: pip install scikit-image")
    path = Path(package.submodule_search_locations[0]) / "data" / file
    if not path.is_file():
        raise UserError(
            f"{path}: not in this scikit-image; install its wheel: pip install --force-reinstall scikit-image"
        )
    return path


@cache
def _load_photograph(file: str) -> Image.Image:
    """Return the decoded photograph, cached per process (4 MB for all five)."""
    try:
        with Image.open(_path(file)) as image:
            return image.convert("RGB")
    except OSError as error:
        raise UserError(f"{_path(file)}: not a readable picture ({error})") from error
