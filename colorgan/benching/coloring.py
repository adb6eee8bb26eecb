"""The speed of coloring: photographs from file to file as `colorgan.sample` colors them, and then part by part."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from colorgan.benching.peak import measure_peaks
from colorgan.benching.report import CPU_TIME, MEGABYTE, Figure, Result
from colorgan.benching.timing import Recorder, clock_of
from colorgan.colorizer import checkpoint
from colorgan.colorizer.colorizer import Colorizer
from colorgan.colorizer.files import Options, color_files
from colorgan.data.photos import paths
from colorgan.errors import UserError
from colorgan.imaging import images
from colorgan.imaging.arrays import to_tensor
from colorgan.imaging.outputs import make_plan
from colorgan.memory import PeakMemory

SIZES = ("640x480", "4000x3000")  # of the photographs that are made by default
GRAIN = 4.0  # standard deviation of the noise of a made photograph, in levels: an enlarged one would be too smooth
DECODE, PREDICT, PAINT, ENCODE = "decode", "predict", "paint", "encode"
JPEG = {"quality": 95, "subsampling": "4:4:4"}


def settings_of(ckpt: str | None, inputs: list[str], pictures: int, repeats: int) -> dict[str, Any]:
    """Return what a result records of a benchmark of coloring."""
    return {"ckpt": ckpt, "inputs": inputs, "pictures": pictures, "repeats": repeats}


def check_inputs(inputs: list[str]) -> None:
    """Raise UserError for an input that is neither a file nor a size such as 640x480."""
    for given in inputs:
        if not (_size_in(given) or Path(given).is_file()):
            raise UserError(f"{given}: no such file, and no size such as 640x480")


def measure_coloring(ckpt: str | None, inputs: list[str], pictures: int, repeats: int, device: str) -> Result:
    """Measure how fast photographs are colored, after one that is not measured.

    Args:
        ckpt: a checkpoint; None for the released one.
        inputs: files, and sizes of photographs to make, as "640x480".
        pictures: number of copies of each that are colored together.
        repeats: number of measurements of each.
        device: type of the device.

    Raises:
        UserError: the checkpoint or a file cannot be read.
    """
    model = checkpoint.load(ckpt, device)
    figures, flops, shares = {}, {}, []
    with tempfile.TemporaryDirectory(prefix="colorgan-bench-") as folder:
        for i, given in enumerate(inputs):
            files = _make_files(Path(folder) / str(i), given, pictures)
            found = _measure_input(model, files, repeats, device)
            name = given if _size_in(given) else Path(given).name
            figures |= {f"{name}: {key}": figure for key, figure in found.items()}
            flops[f"net, {name}"] = _count_flops(model, files[0])
            shares.append(1000 * flops[f"net, {name}"] / found[PREDICT].median)
    peaks = measure_peaks(device, [torch.float32])
    settings = settings_of(ckpt, inputs, pictures, repeats)
    return Result("sample", device, settings, figures, flops, peaks, max(shares) / max(peaks.values()), [])


def _measure_input(model: Colorizer, files: list[Path], repeats: int, device: str) -> dict[str, Figure]:
    clock = clock_of(device)
    whole, parts, pillow = Recorder(clock), Recorder(clock), Recorder(clock)
    memory, peaks, cpu = PeakMemory(device), [], []
    for i in range(repeats + 1):  # the first is the warm-up
        window = i - 1 if i else None
        memory.reset()
        whole.enter(window)
        whole.mark("whole")
        start = process_time()
        _color(model, files)
        cpu.append(process_time() - start)
        whole.enter(None)
        whole.mark("end")
        peaks.append(memory.peak())
        parts.enter(window)
        painted = _color_in_parts(model, files, parts)
        pillow.enter(window)
        pillow.mark("whole")
        _recode(files[0], painted)
        pillow.enter(None)
        pillow.mark("end")
    n = len(files)
    seconds = [phases["whole"] for phases in whole.totals().values()]
    phases = list(parts.totals().values())
    bare = [p[PREDICT] + p[PAINT] for p in phases]
    recoding = [p["whole"] for p in pillow.totals().values()]
    return {
        "pictures/s": Figure("pictures/s", [n / s for s in seconds], "larger"),
        "pictures/s, files left out": Figure("pictures/s", [n / s for s in bare], "larger"),
        **{
            phase: Figure("ms/picture", [1000 * p[phase] / n for p in phases])
            for phase in (DECODE, PREDICT, PAINT, ENCODE)
        },
        "Pillow decodes and encodes": Figure("ms/picture", [1000 * s for s in recoding]),
        "times Pillow": Figure("", [s / n / r for s, r in zip(seconds, recoding, strict=True)]),
        CPU_TIME: Figure("ms/picture", [1000 * seconds / n for seconds in cpu[1:]]),
        "peak memory": Figure("MB", [peak / MEGABYTE for peak in peaks[1:]], "smaller"),
        "above the loaded process": Figure("MB", [(peak - memory.loaded) / MEGABYTE for peak in peaks[1:]]),
    }


def _color(model: Colorizer, files: list[Path]) -> None:
    """Color files as `colorgan.sample` does."""
    with tempfile.TemporaryDirectory(dir=files[0].parent) as out:
        jobs = make_plan(files, Path(out), None, overwrite=False, samples=1).jobs
        for error in color_files(model, jobs, {}, Options(threads=torch.get_num_threads())):
            if error:
                raise error


def _color_in_parts(model: Colorizer, files: list[Path], recorder: Recorder) -> np.ndarray:
    """Color files one after the other, and record the phases; return the last picture, uint8 (H, W, 3)."""
    for file in files:
        recorder.mark(DECODE)
        photograph = images.read(file)
        recorder.mark(PAINT)
        with _marking(model, recorder):
            (painted,) = model.paint([to_tensor(photograph.levels)])
        recorder.mark(ENCODE)
        target = file.parent / f"painted{file.suffix}"
        rgb = painted.permute(1, 2, 0).numpy()
        images.write(target, rgb, photograph.alpha, photograph.exif)
        target.unlink()
    recorder.enter(None)
    recorder.mark("end")
    return rgb


@contextmanager
def _marking(model: Colorizer, recorder: Recorder) -> Iterator[None]:
    """Record the run of the net as a phase of its own."""
    before = model.net.register_forward_pre_hook(lambda *_: recorder.mark(PREDICT))
    after = model.net.register_forward_hook(lambda *_: recorder.mark(PAINT))
    try:
        yield
    finally:
        before.remove()
        after.remove()


def _count_flops(model: Colorizer, file: Path) -> float:
    """Return the floating-point operations of the net for a photograph."""
    counter = FlopCounterMode(display=False)
    before = model.net.register_forward_pre_hook(lambda *_: counter.__enter__() and None)
    after = model.net.register_forward_hook(lambda *_: counter.__exit__(None, None, None))
    try:
        model.paint([to_tensor(images.read(file).levels)])
    finally:
        before.remove()
        after.remove()
    return counter.get_total_flops()


def _recode(file: Path, colored: np.ndarray) -> None:
    """Decode a file, and encode its colored picture (H, W, 3) as JPEG, by Pillow alone."""
    with Image.open(file) as image:
        image.load()
    target = file.parent / "recoded.jpg"
    Image.fromarray(colored).save(target, **JPEG)
    target.unlink()


def _size_in(given: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", given)
    return (int(found[1]), int(found[2])) if found else None


def _make_files(folder: Path, given: str, count: int) -> list[Path]:
    """Make `count` photographs in a folder: copies of a file, or gray JPEGs of a size."""
    folder.mkdir()
    size = _size_in(given)
    if size is None:
        content, suffix = Path(given).read_bytes(), Path(given).suffix
    else:
        with Image.open(paths()[0]) as image:
            gray = np.asarray(image.convert("L").resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
        gray = gray + np.random.default_rng(0).normal(0, GRAIN, gray.shape)
        Image.fromarray(gray.round().clip(0, 255).astype(np.uint8)).save(folder / "made.jpg", quality=95)
        content, suffix = (folder / "made.jpg").read_bytes(), ".jpg"
    files = [folder / f"{i:04d}{suffix}" for i in range(count)]
    for file in files:
        file.write_bytes(content)
    return files
