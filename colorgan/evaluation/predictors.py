"""What is evaluated: everything that predicts the colors of a picture."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from colorgan.color import join
from colorgan.color_bytes import lightness
from colorgan.colorizer import checkpoint
from colorgan.colorizer.colorizer import Colorizer
from colorgan.errors import UserError
from colorgan.evaluation.dataset import EvaluationDataset, prepare
from colorgan.imaging import images

BASELINES = ("gray", "mean color")  # names of the predictors that stand first in every table
TRUTH = "truth"  # name of the true pictures beside those of predictors
LIGHTNESSES = 2**18  # for which a baseline has its colors ready: 1000 of them are one step of 8 bits
MIN_CORRELATION = 0.5  # of the lightness of a colored picture with its truth's, below which it shows something else
MIN_DEVIATION = 4.0  # in 8-bit values, below which a picture is too flat for a correlation


class Predictor(Protocol):
    """A method that colors pictures, under the name that tables give it."""

    name: str

    def predict(self, indices: list[int], rgb: Tensor) -> list[Tensor | UserError]:
        """Color a batch of pictures.

        Args:
            indices: which pictures of the dataset these are.
            rgb: the true pictures, uint8 (B, 3, S, S); only their lightness may be used.

        Returns:
            B colored pictures, uint8 (3, S, S) each, or for each that failed the error.
        """


class ConstantPredictor:
    """Gives every pixel the same color at its own lightness: a baseline.

    Args:
        name: its name in tables.
        ab: (2,) the color in Lab units.
    """

    def __init__(self, name: str, ab: Tensor):
        self.name = name
        L = torch.linspace(0, 100, LIGHTNESSES).view(1, 1, 1, -1)
        self.colors = to_uint8(join(L, ab.to(L).view(1, 2, 1, 1).expand(-1, -1, 1, LIGHTNESSES)))[0, :, 0]  # (3, N)

    def predict(self, indices: list[int], rgb: Tensor) -> list[Tensor | UserError]:
        places = [(lightness(picture) * ((LIGHTNESSES - 1) / 100)).round().int() for picture in rgb]
        return [self.colors.index_select(1, place.flatten()).view(3, *place.shape) for place in places]


class ModelPredictor:
    """Colors with a trained model.

    Args:
        name: its name in tables.
        colorizer: the model.
        training_data: the `data` section of the experiment that trained it.
    """

    def __init__(self, name: str, colorizer: Colorizer, training_data: Mapping[str, Any]):
        self.name = name
        self.colorizer = colorizer
        self.training_data = training_data

    def predict(self, indices: list[int], rgb: Tensor) -> list[Tensor | UserError]:
        try:
            return self.colorizer.paint(list(rgb))
        except UserError:  # the color of one of them is not finite
            if len(indices) > 1:
                return [self.predict([i], picture[None])[0] for i, picture in zip(indices, rgb, strict=True)]
        return [
            UserError(
                f"'{self.name}': NaN or infinite values for picture {indices[0] + 1}; "
                "evaluate an epoch before training diverged"
            )
        ]


class FolderPredictor:
    """Reads pictures that another program colored.

    They are found by their path below the folder, whatever the suffix. Like the truth, they are cut and resized as the
    dataset's protocol says: they may have any size, but must show the whole picture.

    Args:
        name: its name in tables.
        root: the folder of colored pictures.
        dataset: the true pictures.

    Raises:
        UserError: no such folder; no file in it has the name of a true picture; two files have one name.
    """

    def __init__(self, name: str, root: Path, dataset: EvaluationDataset):
        self.name = name
        self.root = root
        self.dataset = dataset
        colored = EvaluationDataset(root)
        self.files: dict[str, Path] = {}
        for i in range(len(colored)):
            other = self.files.setdefault(colored.key(i), Path(colored.name(i)))
            if str(other) != colored.name(i):
                raise UserError(f"{colored.name(i)}: a second picture for one name, beside {other}; remove one of them")
        if self.files.keys().isdisjoint(dataset.key(i) for i in range(len(dataset))):
            raise UserError(
                f"{root}: none of its {len(colored)} pictures has a name of {dataset.root} (its first: "
                f"{next(iter(self.files))}; the truth's: {dataset.key(0)}); keep names and sub-folders"
            )

    def predict(self, indices: list[int], rgb: Tensor) -> list[Tensor | UserError]:
        return [self._read(i, truth) for i, truth in zip(indices, rgb, strict=True)]

    def _read(self, index: int, truth: Tensor) -> Tensor | UserError:
        key = self.dataset.key(index)
        if key not in self.files:
            return UserError(f"{self.root}/{key}: missing; {self.dataset.name(index)} has no colored picture there")
        file = self.files[key]
        try:
            own, true = images.shape(file), images.shape(self.dataset.name(index))
            if not _same_aspect(own, true):
                return UserError(
                    f"{file}: {own[1]} x {own[0]} pixels, and its truth {true[1]} x {true[0]}: another aspect; "
                    "compare whole pictures with whole pictures"
                )
            picture = torch.from_numpy(prepare(file, truth.shape[-1], self.dataset.protocol))
        except UserError as error:
            return error
        correlation = _lightness_correlation(picture, truth)
        if correlation < MIN_CORRELATION:
            return Mismatch(
                f"{file}: does not show what {self.dataset.name(index)} shows (their lightness correlates by "
                f"{correlation:.2f}): are the names shuffled?"
            )
        return picture


class Mismatch(UserError):
    """A colored file that shows another picture than its name says."""


def make_baselines(mean_ab: Tensor) -> list[Predictor]:
    """Make what every model has to beat: no color, and the dataset's mean color (2,) in Lab units everywhere."""
    return [ConstantPredictor(name, ab) for name, ab in zip(BASELINES, (torch.zeros(2), mean_ab), strict=True)]


def make_predictors(
    checkpoints: list[Path], folders: list[Path], dataset: EvaluationDataset, device: str = "cpu"
) -> list[Predictor]:
    """Make predictors of trained models and of folders of colored pictures, in this order, with unique names.

    Args:
        checkpoints: of trained models.
        folders: of pictures that other programs colored.
        dataset: the true pictures.
        device: where the models run.

    Raises:
        UserError: a checkpoint or a folder cannot be used; two of them have one name.
    """
    colorizers = [checkpoint.load(path, device) for path in checkpoints]
    contents = [checkpoint.read(path) for path in checkpoints]
    model_names = _model_names(checkpoints, contents)
    folder_names = [folder.resolve().name for folder in folders]
    for name, count in Counter([*BASELINES, TRUTH, *model_names, *folder_names]).items():
        if count > 1:
            raise UserError(f"'{name}': {count} systems have this name; rename a folder, or leave one out")
    return [
        *(
            ModelPredictor(name, colorizer, content["experiment"]["data"])
            for name, colorizer, content in zip(model_names, colorizers, contents, strict=True)
        ),
        *(FolderPredictor(name, folder, dataset) for name, folder in zip(folder_names, folders, strict=True)),
    ]


def training_overlap(predictors: list[Predictor], dataset: EvaluationDataset) -> list[str]:
    """Return a warning for each model that was trained on pictures of the dataset."""
    return [
        f"{predictor.name}: trained on photographs of {dataset.root}; evaluate it on others"
        for predictor in predictors
        if isinstance(predictor, ModelPredictor) and _trained_on(predictor.training_data, dataset.root.resolve())
    ]


def to_uint8(rgb: Tensor) -> Tensor:
    """Round float in [0, 1] to uint8, as writing it to a file would."""
    return (255 * rgb).round().clamp(0, 255).byte()


def _model_names(paths: list[Path], contents: list[dict[str, Any]]) -> list[str]:
    """Name checkpoints by their experiments; where that is ambiguous also by epoch, and then by file.

    Checkpoints that `colorgan.release` wrote have no epoch.
    """
    names = [str(content["experiment"].get("name", path.stem)) for path, content in zip(paths, contents, strict=True)]
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


def _trained_on(data: Mapping[str, Any], folder: Path) -> bool:
    """Whether training with this `data` section used photographs of a folder; those in val/ were not trained on."""
    if data.get("name") != "folder" or not isinstance(data.get("root"), str):
        return False
    above = (folder, *folder.parents)
    roots = [Path(root).resolve() for root in (data["root"], *map(str, data.get("also") or []))]  # 0.1 had none
    return any(root in above and root / "val" not in above for root in roots)


def _same_aspect(shape: tuple[int, int], true_shape: tuple[int, int]) -> bool:
    """Whether one (height, width) is the other scaled, up to the pixel that rounding changes."""
    (height, width), (true_height, true_width) = shape, true_shape
    scale = ((height * width) / (true_height * true_width)) ** 0.5
    return abs(height - scale * true_height) <= 1.5 and abs(width - scale * true_width) <= 1.5


def _lightness_correlation(picture: Tensor, truth: Tensor) -> float:
    """Correlation of the lightness of two pictures, uint8 (3, S, S); 1 where one of them is too flat to tell."""
    flat = torch.stack([picture, truth]).float().mean(dim=1).flatten(1)
    if flat.std(dim=1).min() < MIN_DEVIATION:
        return 1.0
    return float(torch.corrcoef(flat)[0, 1])
