"""The speed of an evaluation: whole, from files, and then part by part on pictures that are held in memory."""

import tempfile
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorgan.benching.peak import measure_peaks
from colorgan.benching.report import CPU_TIME, MEGABYTE, Figure, Result
from colorgan.benching.timing import Recorder, clock_of
from colorgan.data.photos import SkimagePhotos
from colorgan.errors import UserError
from colorgan.evaluation.dataset import EvaluationDataset, color_statistics, read_batches
from colorgan.evaluation.evaluation import evaluate
from colorgan.evaluation.predictors import Predictor, make_baselines, make_predictors
from colorgan.evaluation.results import summarize
from colorgan.evaluation.scoring import score
from colorgan.memory import PeakMemory
from colorgan.metrics.networks import FeatureNetworks
from colorgan.packaged import released

READ, COUNT, PREDICT, MEASURE, INTERVALS = "read", "count colors", "predict", "measure", "intervals"
PARTS = (COUNT, PREDICT, MEASURE, INTERVALS)
SCALE = 1.5  # side of a photograph, relative to the evaluated square


def settings_of(ckpt: str | None, pictures: int, size: int, repeats: int) -> dict[str, Any]:
    """Return what a result records of a benchmark of evaluation."""
    return {"ckpt": ckpt, "pictures": pictures, "size": size, "repeats": repeats}


def measure_evaluation(ckpt: str | None, pictures: int, size: int, repeats: int, device: str) -> Result:
    """Measure how fast a model is evaluated, without the networks of LPIPS and FID, after a warm-up.

    Args:
        ckpt: a checkpoint; None for the released one.
        pictures: number of pictures.
        size: side of their squares in pixels.
        repeats: number of measurements.
        device: type of the device.

    Raises:
        UserError: the checkpoint cannot be read.
    """
    clock = clock_of(device)
    whole, parts, reading = Recorder(clock), Recorder(clock), Recorder(clock)
    with tempfile.TemporaryDirectory(prefix="colorgan-bench-") as folder:
        _write_pictures(Path(folder), pictures, round(SCALE * size))
        dataset, held = EvaluationDataset(Path(folder)), _HeldDataset(Path(folder))
        predictors = make_predictors([Path(ckpt) if ckpt else released()], [], dataset, device)
        networks = FeatureNetworks(None, dataset.classes, ["lpips", "fid"], device)
        memory, peaks, cpu = PeakMemory(device), [], []
        for i in range(repeats + 1):
            window = i - 1 if i else None
            memory.reset()
            whole.enter(window)
            whole.mark("whole")
            start = process_time()
            evaluate(dataset, "photos", predictors, networks, size, lambda done: None)
            cpu.append(process_time() - start)
            whole.enter(None)
            whole.mark("end")
            peaks.append(memory.peak())
            reading.enter(window)
            reading.mark(READ)
            for _ in read_batches(dataset, range(len(dataset)), size, _refuse):
                pass
            reading.enter(None)
            reading.mark("end")
            parts.enter(window)
            _evaluate_in_parts(held, predictors[0], networks, size, parts)
    phases = [own | read for own, read in zip(parts.totals().values(), reading.totals().values(), strict=True)]
    figures = {
        "pictures/s": Figure("pictures/s", [pictures / w["whole"] for w in whole.totals().values()], "larger"),
        "pictures/s, files left out": Figure(
            "pictures/s", [pictures / sum(p[part] for part in PARTS) for p in phases], "larger"
        ),
        **{part: Figure("ms/picture", [1000 * p[part] / pictures for p in phases]) for part in (READ, *PARTS)},
        CPU_TIME: Figure("ms/picture", [1000 * seconds / pictures for seconds in cpu[1:]]),
        "peak memory": Figure("MB", [peak / MEGABYTE for peak in peaks[1:]], "smaller"),
        "above the loaded process": Figure("MB", [(peak - memory.loaded) / MEGABYTE for peak in peaks[1:]]),
    }
    notes = ["read: reading alone, once; an evaluation reads twice, and most of it behind other work"]
    peaks_of_machine = measure_peaks(device, [torch.float32])
    settings = settings_of(ckpt, pictures, size, repeats)
    return Result("evaluate", device, settings, figures, {}, peaks_of_machine, None, notes)


class _HeldDataset(EvaluationDataset):
    """Pictures that are read once."""

    def __init__(self, root: Path):
        super().__init__(root)
        self.held: dict[int, np.ndarray] = {}

    def load(self, index: int, size: int) -> np.ndarray:
        if index not in self.held:
            self.held[index] = super().load(index, size)
        return self.held[index]


class _HeldPredictor:
    """Returns pictures that were colored before."""

    def __init__(self, name: str, pictures: dict[int, Tensor | UserError]):
        self.name = name
        self.pictures = pictures

    def predict(self, indices: list[int], rgb: Tensor) -> list[Tensor | UserError]:
        return [self.pictures[index] for index in indices]


def _evaluate_in_parts(
    dataset: _HeldDataset, predictor: Predictor, networks: FeatureNetworks, size: int, recorder: Recorder
) -> None:
    """Do what `evaluate` does, one part after the other for all pictures."""
    recorder.mark(COUNT)
    statistics = color_statistics(dataset, size)
    recorder.mark(PREDICT)
    pictures: dict[int, Tensor | UserError] = {}
    for indices, rgb in read_batches(dataset, statistics.readable, size, _refuse):
        pictures |= zip(indices, predictor.predict(indices, rgb), strict=True)
    recorder.mark(MEASURE)
    predictors = [*make_baselines(statistics.mean_ab), _HeldPredictor(predictor.name, pictures)]
    scores = score(dataset, predictors, statistics, size, networks)
    recorder.mark(INTERVALS)
    summarize(scores, {}, networks.missing)
    recorder.enter(None)
    recorder.mark("end")


def _refuse(problem: str) -> None:
    raise UserError(problem)


def _write_pictures(folder: Path, count: int, side: int) -> None:
    """Write crops of the embedded photographs as JPEG, in a folder for each photograph."""
    source = SkimagePhotos(None, train=True, crops=count)
    for i in range(count):
        path = folder / source.classes[source.label(i)] / f"{i:05d}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(source.load(i, side).transpose(1, 2, 0)).save(path, quality=95)
