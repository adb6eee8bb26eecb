"""The true photographs of an evaluation: found, read in batches, and their colors counted."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from colorgan.color import split
from colorgan.data.folder import class_from_path, find_images
from colorgan.data.source import FileSource, ImageSource
from colorgan.errors import UserError
from colorgan.evaluation.protocols import OWN, Protocol
from colorgan.imaging import images, pixels
from colorgan.imaging.decoding import pillow_settings
from colorgan.metrics.functional import AB_BINS, ab_histogram

BATCH_SIZE = 8  # pictures
WORKERS = 4  # threads that decode the next batch


class EvaluationDataset(FileSource):
    """The photographs below a folder that a protocol evaluates; its sub-folders are the classes.

    Args:
        root: the folder.
        protocol: which of them it evaluates, and how they become squares.

    Raises:
        UserError: no such folder, or no photographs in it.
    """

    def __init__(self, root: Path, protocol: Protocol = OWN):
        if not root.is_dir():
            raise UserError(f"{root}: no such folder of photographs")
        names = find_images(root)
        if protocol.first is not None:
            names = sorted(sorted(names, key=lambda name: PurePosixPath(name).name)[: protocol.first])
        self.protocol = protocol
        super().__init__(root, names, sorted({class_from_path(name) for name in names}))
        self._labels = {name: label for label, name in enumerate(self.classes)}

    def load(self, index: int, size: int) -> np.ndarray:
        """Load the photograph as uint8 (3, size, size), prepared as the protocol says.

        Unlike in training, a JPEG is decoded at full resolution, so that its copy in another format gives the same.

        Raises:
            UserError: the file cannot be read.
        """
        return prepare(self.name(index), size, self.protocol)

    def label(self, index: int) -> int:
        """Return the index of the photograph's class in `classes`."""
        return self._labels[class_from_path(self.names[index])]

    def key(self, index: int) -> str:
        """Return the photograph's path below the root without suffix, by which its colored versions are found."""
        return str(PurePosixPath(self.names[index]).with_suffix(""))


def validation_folder(root: Path) -> Path:
    """Return root/val where the root is split into train/ and val/, as in training; else the root itself."""
    return root / "val" if (root / "train").is_dir() and (root / "val").is_dir() else root


def prepare(path: str | Path, size: int, protocol: Protocol) -> np.ndarray:
    """Read a photograph as a square of `size` pixels, uint8 (3, size, size), as a protocol says.

    Raises:
        UserError: the file cannot be read.
    """
    if protocol.resizing == "bicubic":
        return images.thumbnail(path, size, exact=True)
    with images.opened(path) as image:
        # A color profile is ignored, as all these programs do.
        picture = pixels.split_alpha(pixels.upright(image))[0].convert("RGB")
    if protocol.crop:
        picture = _square_center(picture)
    if protocol.resizing == "bilinear":
        return np.array(picture.resize((size, size), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    chw = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float()
    resized = F.interpolate(chw, (size, size), mode="bilinear", align_corners=False, antialias=False)
    return resized[0].round().byte().numpy()


def read_batches(
    dataset: ImageSource, indices: Sequence[int], size: int, on_error: Callable[[str], None]
) -> Iterator[tuple[list[int], Tensor]]:
    """Read pictures in batches, one batch ahead of its use.

    Args:
        dataset: the pictures.
        indices: which of them to read, in this order.
        size: side of their squares in pixels.
        on_error: called with a line for each picture that cannot be read, which is left out.

    Yields:
        The indices of a batch, and its pictures, uint8 (B, 3, size, size).
    """
    parts = [indices[start : start + BATCH_SIZE] for start in range(0, len(indices), BATCH_SIZE)]
    with pillow_settings(), ThreadPoolExecutor(WORKERS) as pool:
        coming = []
        for part in [*parts, []]:
            current, coming = coming, [(index, pool.submit(_load, dataset, index, size)) for index in part]
            results = {index: future.result() for index, future in current}
            readable = {index: result for index, result in results.items() if isinstance(result, np.ndarray)}
            for result in results.values():
                if isinstance(result, UserError):
                    on_error(str(result))
            if readable:
                yield list(readable), torch.stack([torch.from_numpy(picture) for picture in readable.values()])


@dataclass
class ColorStatistics:
    """Statistics of the colors of a dataset."""

    mean_ab: Tensor  # (2,) in Lab units
    prior: Tensor  # (529,) frequencies of the bins of `ab_bin`, sums to 1
    readable: list[int]  # indices of the pictures that can be read
    problems: list[str]  # a line for each of the others


def color_statistics(dataset: ImageSource, size: int) -> ColorStatistics:
    """Read all pictures of a dataset once and count their colors.

    Args:
        dataset: the true pictures.
        size: side in pixels of their squares.

    Raises:
        UserError: fewer than two can be read.
    """
    counts, total = torch.zeros(AB_BINS**2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    problems: list[str] = []
    readable: list[int] = []
    for indices, rgb in read_batches(dataset, range(len(dataset)), size, problems.append):
        readable += indices
        _, ab = split(rgb.float() / 255)
        counts += ab_histogram(ab)
        total += ab.double().sum(dim=(0, 2, 3))
    if len(readable) < 2:
        reason = f"; the first problem: {problems[0]}" if problems else ""
        raise UserError(f"{len(readable)} readable pictures: an evaluation needs two or more{reason}")
    return ColorStatistics((total / counts.sum()).float(), counts / counts.sum(), readable, problems)


def _square_center(picture: Image.Image) -> Image.Image:
    """Cut a picture to its square center, at whole pixels as torchvision's CenterCrop does."""
    width, height = picture.size
    side = min(width, height)
    left, top = round((width - side) / 2), round((height - side) / 2)
    return picture.crop((left, top, left + side, top + side))


def _load(dataset: ImageSource, index: int, size: int) -> np.ndarray | UserError:
    try:
        return dataset.load(index, size)
    except UserError as error:
        return error
