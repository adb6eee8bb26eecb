"""What the tests of the evaluator share: five true photographs, colored ones, and the command in this process."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorgan import evaluate, train
from colorgan.metrics.registry import METRICS
from tests.conftest import tiny

COUNT = 5
NO_NETWORKS = ("--skip", "lpips", "--skip", "fid")
EXPERIMENTS = Path(__file__).parents[1] / "experiments"


def photo(path, seed, size=(48, 40)):
    """Writes a photograph of smooth colors."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    patches = np.random.default_rng(seed).integers(0, 256, (5, 4, 3), np.uint8)
    Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC).save(path)
    return path


def write_pictures():
    """Makes `true`, a folder with two classes, and `mine`, a copy of it."""
    for i in range(COUNT):
        photo(f"true/{('sea', 'forest')[i % 2]}/{i}.png", i)
    shutil.copytree("true", "mine")


def run_evaluation(*more, data="true"):
    """Evaluates `mine`, or what the arguments name, and returns the exit code; the results are in r.json."""
    pred = [] if "--pred" in more or "--ckpt" in more else ["--pred", "mine"]
    options = ["--data", data, "--size", "32", "--device", "cpu", "--json", "r.json"]
    return evaluate.main([*options, *NO_NETWORKS, *pred, *map(str, more)])


def results():
    """What the last evaluation wrote."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(Path("r.json").read_text(encoding="utf-8"), parse_constant=refuse)


def means(system):
    """The computed means of a system."""
    return {key: value["mean"] for key, value in results()["systems"][system].items() if value["mean"] is not None}


def imperfect(system):
    """The metrics of a system that differ from those of pictures that equal the truth."""
    truth = results()["truth"]
    goals = {key: truth[key]["mean"] if metric.perfect is None else metric.perfect for key, metric in METRICS.items()}
    return {key: mean for key, mean in means(system).items() if mean != pytest.approx(goals[key], abs=1e-6)}


def trained(root, experiment, *overrides):
    """The best checkpoint of a tiny run below a folder."""
    file = str(EXPERIMENTS / f"{experiment}.yaml")
    assert train.main([file, *tiny(file), f"run_dir={root / experiment}", *overrides]) == 0
    return root / experiment / "best.ckpt"


def trained_classifier(root, data, color):
    """The best checkpoint of a tiny classifier of the classes of `data`."""
    settings = ["system.body=test_resnet", "data.name=folder", f"data.root={data}", "data.near_gray=0"]
    return trained(root, "judge" if color else "resnet18-classifier", *settings, "pretrained=false")
