"""What is judged: everything that gives a true picture other colors."""

from collections import Counter
from pathlib import Path
from typing import Protocol

import torch
from omegaconf import DictConfig
from torch import Tensor

from colorgan.color import join, split
from colorgan.colorizer import checkpoint
from colorgan.errors import UserError
from colorgan.evaluation.pictures import Album
from colorgan.imaging import images
from colorgan.systems import Colorizer, load

ALIKE = 0.5  # a colored picture whose lightness correlates less than so with the truth's shows something else
FLOORS = ("gray", "mean color")  # the systems that stand first in every table
TRUTH = "truth"  # what the true pictures are called beside the systems
FLAT = 4.0  # 8-bit values: a picture of less deviation has too little to compare


class Painter(Protocol):
    """A system that colors."""

    name: str

    def paint(self, indices: list[int], rgb: Tensor) -> list[Tensor | UserError]:
        """The colored versions of pictures.

        Args:
            indices: which pictures of the source these are.
            rgb: the true pictures, uint8 (B, 3, S, S).

        Returns:
            uint8 (3, S, S) each, or why there is none.
        """


class Constant:
    """One color everywhere, on each picture's own lightness: the floors, plain gray and the mean color."""

    def __init__(self, name: str, ab: Tensor):
        self.name = name
        self.ab = ab  # (2,) in Lab units

    def paint(self, indices: list[int], rgb: Tensor) -> list[Tensor | UserError]:
        L, ab = split(rgb.float() / 255)
        return list(to_bytes(join(L, self.ab.to(ab)[:, None, None].expand_as(ab))))


class Model:
    """A trained colorizer."""

    def __init__(self, name: str, colorizer: Colorizer):
        self.name = name
        self.colorizer = colorizer

    def paint(self, indices: list[int], rgb: Tensor) -> list[Tensor | UserError]:
        colored = self.colorizer.paint(list(rgb.float() / 255))
        return [
            to_bytes(picture) if picture.isfinite().all() else self._collapsed(i)
            for i, picture in zip(indices, colored, strict=True)
        ]

    def _collapsed(self, index: int) -> UserError:
        return UserError(
            f"'{self.name}': NaN or infinite values for picture {index + 1}; judge an epoch before training collapsed"
        )


class Colored:
    """A folder of pictures that some other program has colored.

    They are found by their path in the folder, whatever the suffix, and are cut and resized as the truth is: the square
    center, scaled. So a picture may be of any size, but must show as much as the truth.

    Raises:
        UserError: no such folder; no name in it is one of the truth's; two pictures for one name.
    """

    def __init__(self, name: str, root: Path, album: Album):
        self.name = name
        self.root = root
        self.album = album
        mine = Album(root)
        self.files: dict[str, Path] = {}
        for i in range(len(mine)):
            other = self.files.setdefault(mine.key(i), Path(mine.name(i)))
            if str(other) != mine.name(i):
                raise UserError(f"{mine.name(i)}: a second picture for one name, beside {other}; remove one of them")
        wanted = {album.key(i) for i in range(len(album))}
        if wanted.isdisjoint(self.files):
            raise UserError(
                f"{root}: none of its {len(mine)} pictures has a name of {album.root} (its first: "
                f"{next(iter(self.files))}; the truth's: {album.key(0)}); keep names and sub-folders"
            )

    def paint(self, indices: list[int], rgb: Tensor) -> list[Tensor | UserError]:
        return [self._read(i, truth) for i, truth in zip(indices, rgb, strict=True)]

    def _read(self, index: int, truth: Tensor) -> Tensor | UserError:
        key = self.album.key(index)
        if key not in self.files:
            return UserError(f"{self.root}/{key}: missing; {self.album.name(index)} has no colored picture there")
        file = self.files[key]
        try:
            mine, true = images.shape(file), images.shape(self.album.name(index))
            if not _same_aspect(mine, true):
                return UserError(
                    f"{file}: {mine[1]} x {mine[0]} pixels, and its truth {true[1]} x {true[0]}: another aspect; "
                    "judge whole pictures against whole pictures"
                )
            picture = torch.from_numpy(images.thumbnail(file, truth.shape[-1], exact=True))
        except UserError as error:
            return error
        correlation = _correlation(picture, truth)
        if correlation < ALIKE:
            return OtherPicture(
                f"{file}: does not show what {self.album.name(index)} shows (their lightness correlates by "
                f"{correlation:.2f}): are the names shuffled?"
            )
        return picture


class OtherPicture(UserError):
    """A file whose name is one picture's and whose content another's."""


def make_painters(checkpoints: list[Path], folders: list[Path], album: Album, device: str = "cpu") -> list[Painter]:
    """Trained models and folders of colored pictures, each under a name of its own, in this order.

    Raises:
        UserError: a checkpoint or a folder that cannot be used.
    """
    models = [load(path, device) for path in checkpoints]
    names = _model_names(checkpoints) + [folder.resolve().name for folder in folders]
    for name, count in Counter([*FLOORS, TRUTH, *names]).items():
        if count > 1:
            raise UserError(f"'{name}': {count} systems have this name; rename a folder, or leave one out")
    painters: list[Painter] = [Model(name, model) for name, model in zip(names, models, strict=False)]
    return painters + [Colored(name, folder, album) for name, folder in zip(names[len(models) :], folders, strict=True)]


def seen_in_training(painters: list[Painter], album: Album) -> list[str]:
    """A line for each model that was trained on pictures of this album."""
    return [
        f"{painter.name}: trained on photographs of {album.root}; judge it on others"
        for painter in painters
        if isinstance(painter, Model) and _learned_from(painter.colorizer.experiment.data, album.root.resolve())
    ]


def to_bytes(rgb: Tensor) -> Tensor:
    """Float in [0, 1] -> uint8, rounded: what a file would hold."""
    return (255 * rgb).round().clamp(0, 255).byte()


def _model_names(paths: list[Path]) -> list[str]:
    """The experiment's name; of several checkpoints of one run with the epoch, so that each has its own.

    What `colorgan.release` hands on has no epoch.
    """
    contents = [checkpoint.read(path) for path in paths]
    names = [content["experiment"]["name"] for content in contents]
    ambiguous = {name for name, count in Counter(names).items() if count > 1}
    named = [
        f"{name} epoch {content['epoch']}" if name in ambiguous and "epoch" in content else name
        for name, content in zip(names, contents, strict=True)
    ]
    ambiguous = {name for name, count in Counter(named).items() if count > 1}
    return [
        f"{path.resolve().parent.name}/{path.stem}" if name in ambiguous else name
        for name, path in zip(named, paths, strict=True)
    ]


def _learned_from(data: DictConfig, folder: Path) -> bool:
    """Whether training on these data has seen photographs of a folder; val/ is what it has not seen."""
    if data.name != "folder" or data.root is None:
        return False
    root = Path(data.root).resolve()
    return root in (folder, *folder.parents) and root / "val" not in (folder, *folder.parents)


def _same_aspect(mine: tuple[int, int], true: tuple[int, int]) -> bool:
    """Whether one shape is the other scaled, to the pixel that rounding moves."""
    (height, width), (true_height, true_width) = mine, true
    scale = ((height * width) / (true_height * true_width)) ** 0.5
    return abs(height - scale * true_height) <= 1.5 and abs(width - scale * true_width) <= 1.5


def _correlation(picture: Tensor, truth: Tensor) -> float:
    """Of the lightness of two pictures, uint8 (3, S, S); 1 where one of them is too flat to tell."""
    flat = torch.stack([picture, truth]).float().mean(dim=1).flatten(1)
    if flat.std(dim=1).min() < FLAT:
        return 1.0
    return float(torch.corrcoef(flat)[0, 1])
