"""What several test modules share: a run so small that it takes a second, and a browser."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colorgan import sample, train
from colorgan.colorizer import checkpoint
from colorgan.colorizer.colorizer import Colorizer
from colorgan.imaging import images
from colorgan.systems.base import System

HEIGHT, WIDTH = 24, 40  # of the pictures `gray` and `rgb`
TINY = (
    "net.width=4",
    "discriminator.width=4",
    "data.size=32",
    "data.batch_size=4",
    "data.workers=0",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",  # also on CPUs that are fast in bfloat16
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=2",
    "trainer.limit_val_batches=1",
    "wandb.mode=disabled",
)


def tiny(experiment):
    """The overrides of TINY that an experiment knows: a ResNet-18 has one width."""
    return [item for item in TINY if item != "net.width=4" or "resnet18" not in Path(experiment).read_text()]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
    torch.set_num_threads(1)  # nets this small only wait for each other's threads


@pytest.fixture
def tiny_train(tmp_path):
    """Trains experiments/gan.yaml with tiny overrides and more arguments; returns the exit code."""

    def run(*more, experiment="experiments/gan.yaml"):
        return train.main([experiment, *tiny(experiment), f"run_dir={tmp_path / 'run'}", *more])

    return run


@pytest.fixture
def at(monkeypatch):
    """Does something with the system at the beginning of a batch of an epoch, where `when` accepts the system."""

    def do(epoch, batch_index, action, when=lambda system: True):
        step = System.training_step

        def training_step(self, pictures, batch_idx):
            if (self.current_epoch, batch_idx) == (epoch, batch_index) and when(self):
                action(self)
            return step(self, pictures, batch_idx)

        monkeypatch.setattr(System, "training_step", training_step)

    return do


@pytest.fixture
def folder(tmp_path):
    """A folder of twelve small color photographs in two classes."""
    generator = np.random.default_rng(0)
    for i in range(12):
        path = tmp_path / "pictures" / ("sea", "forest")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 255, (40, 48, 3), dtype=np.uint8)).save(path)
    return tmp_path / "pictures"


class Tint:
    """Colors everything red; remembers what it was asked."""

    def __init__(self):
        self.sizes = []
        self.options = []
        self.batches = []

    choose_decoding = Colorizer.choose_decoding

    def shrink(self, picture, size=None):
        self.sizes.append(size)
        return torch.zeros(1, 1, *picture.shape[-2:])

    def predict_colors(self, lightness, hints=None):
        self.batches.append(len(lightness))
        return [None] * len(lightness)

    def fill(self, picture, color, *options):
        """The red channel at full, the others as they are."""
        self.options.append(options)
        rgb = picture.expand(3, -1, -1).clone()
        rgb[0] = 255
        return rgb


@pytest.fixture
def model(monkeypatch):
    """The model that any checkpoint loads."""
    model = Tint()
    monkeypatch.setattr(checkpoint, "load", lambda path, device: model)
    return model


@pytest.fixture
def run(model, tmp_path, monkeypatch):
    """Runs the command in tmp_path: run(*arguments) -> exit code."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: sample.main(["--ckpt", "x.ckpt", "--device", "cpu", *map(str, arguments)])


@pytest.fixture
def clip(tmp_path):
    """A video of twelve frames with sound."""
    from tests.filming import panned, write_video  # here, as most modules need no videos

    return write_video(tmp_path / "in.mp4", panned(12))


@pytest.fixture
def color_clip(model, tmp_path, capfd):
    """Colors a video red: color_clip(source, name of the result, *options) -> exit code, result, what was said."""
    from colorgan import video

    def run(source, name="out.mkv", *options):
        out = tmp_path / name
        code = video.main([str(source), str(out), "--device", "cpu", "--alone", *options])
        return code, out, capfd.readouterr()

    return run


@pytest.fixture
def gray() -> np.ndarray:
    """A smooth gray picture, uint8 (H, W)."""
    return np.linspace(10, 245, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).round().astype(np.uint8)


@pytest.fixture
def rgb(gray) -> np.ndarray:
    """A smooth colored picture, uint8 (H, W, 3)."""
    return np.stack([gray, gray[::-1], np.full_like(gray, 90)], axis=-1)


def inputs_of(module, call):
    """What a module gets while `call` runs."""
    got = []
    with module.register_forward_pre_hook(lambda _, inputs: got.append(inputs[0])):
        call()
    return got


def distance(photograph: images.Photograph, expected: np.ndarray) -> float:
    """The greatest difference from uint8 (H, W[, 3]), in levels of 255."""
    expected = expected if expected.ndim == 3 else expected[..., None]
    return float(np.abs(photograph.rgb * 255 - expected).max())


@pytest.fixture(scope="module")  # Playwright keeps an event loop running, in which other modules' loops could not start
def chromium():
    """A browser that asks nothing of the network by itself."""
    from playwright.sync_api import sync_playwright  # here, as most modules need no browser

    if not (path := shutil.which("chromium")):
        pytest.skip("no chromium on the PATH")  # .ci/run stops where there is none
    off = ("gpu", "quic", "background-networking", "component-update", "sync")
    flags = ["--headless", "--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in off)]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()
