"""Broken and hostile files, thousands of them: `python -m tests.fuzz --files 5000 --checkpoints 500 --seed 0`.

Whole files of every format, and checkpoints, are mutated at random and handed to `sample`, `prepare`, `evaluate` and
the data loader, in this process. It is a fault if one of them raises anything, prints more than a line for a file,
takes longer than SECONDS or BYTES more memory, or if a picture comes out of a file that the
reference decoder refuses. Faults are printed, and their files kept in --keep.
"""

import argparse
import contextlib
import io
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tifffile
import torch

from colorgan import evaluate, prepare, sample
from colorgan.data.dataset import ImageDataset
from colorgan.data.folder import ImageFolder
from colorgan.errors import UserError
from colorgan.imaging import images
from colorgan.memory import PeakMemory
from colorgan.nets import bodies
from colorgan.systems.building import load_classifier
from tests.breaking import by_pil, by_pillow
from tests.mutating import distort, mutate, serialized, tiny_checkpoint, wholes

SECONDS = 20.0  # a file, in all that reads it; a whole one takes a hundredth
BYTES = 3 << 29  # of memory beyond that before the call
BATCH = 50  # files in a folder


class Faults:
    """Collects what went wrong; the limits of time and memory are watched here.

    Args:
        keep: folder for the files of faults; None to keep none.
    """

    def __init__(self, keep: Path | None):
        self.lines: list[str] = []
        self.keep = keep
        self.slowest = 0.0
        self.largest = 0

    def add(self, line: str, *files: Path) -> None:
        """Note a fault of files."""
        self.lines.append(line)
        print(f"FAULT {line}", file=sys.__stderr__, flush=True)
        if self.keep:
            self.keep.mkdir(parents=True, exist_ok=True)
            for file in files:
                shutil.copy(file, self.keep / f"{len(self.lines):03d}-{file.name}")

    def watch(self, name: str, call: Callable[[], object], seconds: float, *files: Path) -> object:
        """Return what a call returns; None after a UserError and after a fault, which is noted."""
        began, memory, out = time.monotonic(), PeakMemory("cpu"), io.StringIO()
        memory.reset()
        old = signal.signal(signal.SIGALRM, _too_slow)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            with contextlib.redirect_stderr(out), contextlib.redirect_stdout(out):
                return call()
        except UserError as error:
            if "\n" in str(error):
                self.add(f"{name}: more than a line: {error}", *files)
        except BaseException:
            if sys.exc_info()[0] is KeyboardInterrupt:
                raise
            self.add(f"{name}: {traceback.format_exc(limit=-6)}", *files)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)
            self.slowest = max(self.slowest, time.monotonic() - began)
            if "Traceback" in out.getvalue():
                self.add(f"{name}: prints {out.getvalue()[-2000:]}", *files)
            taken = memory.peak() - memory.loaded
            self.largest = max(self.largest, taken)
            if taken > BYTES:
                self.add(f"{name}: {taken >> 20} MiB", *files)
        return None


def fuzz_files(count: int, seed: int, faults: Faults, model: Path, batch: int = BATCH) -> int:
    """Mutate and read image files; return how many of them are colored."""
    rng, given = random.Random(seed), wholes()
    colored, made = 0, 0
    while made < count:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name in ("a", "b"):  # an evaluation needs two that can be read
                _write(root / "in" / f"{name}.png", by_pil("PNG"))
            files = []
            for i in range(min(batch, count - made)):
                name = rng.choice(sorted(given))
                file = root / "in" / f"{made + i:05d}-{name}"
                file.write_bytes(mutate(given[name].data, rng, [whole.data for whole in given.values()]))
                files.append(file)
                _read(file, faults)
            made += len(files)
            colored += _run_commands(root, files, model, faults)
    return colored


def _read(file: Path, faults: Faults) -> None:
    found = faults.watch("read", lambda: images.read(file), SECONDS, file)
    small = faults.watch("thumbnail", lambda: images.thumbnail(file, 16), SECONDS, file)
    faults.watch("shape", lambda: images.shape(file), SECONDS, file)
    if (found is not None or small is not None) and not any(_accepts(decoder, file) for decoder in _DECODERS):
        faults.add("wrong: a picture of a file that Pillow and tifffile refuse", file)


def _by_first_page(file: Path) -> None:
    with tifffile.TiffFile(file) as content:  # whose description may be broken, which `tifffile.imread` does not take
        if not content.pages[0].asarray().size:
            raise ValueError("no pixels")


_DECODERS = (by_pillow, _by_first_page)


def _accepts(decoder: Callable[[Path], object], file: Path) -> bool:
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            decoder(file)
    except Exception:
        return False
    return True


def _run_commands(root: Path, files: list[Path], model: Path, faults: Faults) -> int:
    """Hand a folder to all that reads folders; return how many files were colored."""
    inside, seconds = str(root / "in"), SECONDS * len(files)

    def run(name: str, main: Callable[[list[str]], int], *arguments: str) -> None:
        code = faults.watch(name, lambda: main([*map(str, arguments)]), seconds, *files)
        if code not in (0, 1):
            faults.add(f"{name}: exit code {code}", *files)

    run("sample", sample.main, inside, "--out", root / "out", "--ckpt", model, "--device", "cpu", "--format", "png")
    run("prepare", prepare.main, inside, root / "set", "--jobs", "1", "--min-size", "8")
    skip = ("--skip", "lpips", "--skip", "fid", "--size", "32", "--device", "cpu")
    run("evaluate", evaluate.main, "--data", inside, "--ckpt", model, *skip)

    def load() -> None:
        dataset = ImageDataset(ImageFolder(root / "in", train=True), 16)
        for i in range(len(dataset)):
            dataset[i]

    faults.watch("data loader", load, seconds, *files)
    strange = [path for path in root.iterdir() if path.name not in ("in", "out", "set")]
    if strange:
        faults.add(f"written outside: {strange}", *files)
    return len(list((root / "out").rglob("*.png"))) - 2


def fuzz_checkpoints(count: int, seed: int, faults: Faults) -> int:
    """Mutate and load checkpoints; return how many of them are loaded."""
    rng, whole, loaded = random.Random(seed), tiny_checkpoint(), 0
    with tempfile.TemporaryDirectory() as folder:
        file, photograph = Path(folder) / "x.ckpt", Path(folder) / "x.png"
        _write(photograph, by_pil("PNG"))
        for i in range(count):
            data = serialized(distort(whole, rng) if rng.random() < 0.6 else whole, rng)
            file.write_bytes(mutate(data, rng, [data]) if rng.random() < 0.5 else data)
            out = ["--out", f"{folder}/out{i}", "--ckpt", str(file), "--device", "cpu"]
            code = faults.watch("sample", lambda out=out: sample.main([str(photograph), *out]), SECONDS, file)
            loaded += code == 0
            if code not in (0, 1, 2):
                faults.add(f"sample: exit code {code}", file)
            faults.watch("classifier", lambda: load_classifier(file), SECONDS, file)
            faults.watch("weights", lambda: bodies._read_weights(str(file), "resnet18"), SECONDS, file)
    return loaded


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _too_slow(number: int, frame: object) -> None:
    raise TimeoutError("longer than allowed")


@contextlib.contextmanager
def saved_model() -> Iterator[Path]:
    """The file of a whole tiny checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        torch.save(tiny_checkpoint(), Path(folder) / "tiny.ckpt")
        yield Path(folder) / "tiny.ckpt"


def main() -> int:
    """Fuzz; return 1 if there are faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--checkpoints", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    np.seterr(all="ignore")
    faults, began = Faults(args.keep), time.monotonic()
    with saved_model() as model:
        colored = fuzz_files(args.files, args.seed, faults, model)
    loaded = fuzz_checkpoints(args.checkpoints, args.seed, faults)
    print(f"{args.files} files, {colored} colored; {args.checkpoints} checkpoints, {loaded} loaded", end="; ")
    print(f"{len(faults.lines)} faults; slowest {faults.slowest:.1f} s", end="; ")
    print(f"{faults.largest >> 20} MiB more memory; {time.monotonic() - began:.0f} s")
    return 1 if faults.lines else 0


if __name__ == "__main__":
    sys.exit(main())
