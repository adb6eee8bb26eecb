"""Published protocols: pictures are prepared and measured as a paper does, whatever the evaluator does otherwise."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colorgan import evaluate
from colorgan.evaluation.dataset import EvaluationDataset, prepare
from colorgan.evaluation.protocols import OWN, PROTOCOLS, calibration
from colorgan.metrics import functional
from colorgan.metrics.metric import Batch
from colorgan.metrics.networks import FeatureNetworks
from colorgan.metrics.registry import METRICS
from colorgan.metrics.variants import KNOWN, VARIANTS
from tests.evaluating import COUNT, NO_NETWORKS, photo, results, write_pictures
from tests.test_pixels import ADOBE, profile

OPENCV, PILLOW = (replace(OWN, crop=False, resizing=f"bilinear{end}") for end in (" without antialiasing", ""))


def saved(array, **options):
    """A picture of uint8 (H, W) or (H, W, 3), as a file."""
    Image.fromarray(np.asarray(array, np.uint8)).convert("RGB").save("x.png", **options)
    return "x.png"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# Preparation


def test_opencv_looks_at_two_of_four_columns_and_pillow_weights_eight_by_a_triangle():
    line = np.zeros((128, 128))
    line[:, 61] = 255  # 3.5, 0.5 and 4.5 columns from the centers of columns 14, 15 and 16 of the small picture
    by_opencv, by_pillow = (prepare(saved(line), 32, protocol)[0, 16, 14:17] for protocol in (OPENCV, PILLOW))
    assert by_opencv.tolist() == [0, 128, 0]
    assert by_pillow.tolist() == [round(255 * (1 - 3.5 / 4) / 4), round(255 * (1 - 0.5 / 4) / 4), 0]


def test_resizing_is_that_of_opencv():
    """What cv2.resize (OpenCV 5.0) makes of a picture in [0, 1], times 255 and rounded.

    On 120 photographs squeezed to 256 px, 0.03% of the values differ from those of cv2.resize in floats, as in the code
    of DDColor, and 11% from those of cv2.resize in 8 bits, none by more than 1; from Pillow's 45% differ, by up to 124.
    """
    picture = np.random.default_rng(0).integers(0, 256, (9, 7), np.uint8)
    expected = [[112, 208, 166, 169], [79, 35, 213, 49], [76, 114, 185, 62], [163, 133, 119, 134]]
    assert prepare(saved(picture), 4, OPENCV).tolist() == [expected] * 3


@pytest.mark.parametrize("resizing", ["bilinear", "bilinear without antialiasing"])
def test_a_picture_of_the_size_remains_as_it_is(resizing):
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    prepared = prepare(saved(picture), 32, replace(OWN, resizing=resizing))
    assert np.array_equal(prepared, picture.transpose(2, 0, 1))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_picture_is_cut_or_squeezed(name):
    flag = np.zeros((300, 900, 3))
    flag[:, :300, 0] = flag[:, 300:600, 1] = flag[:, 600:, 2] = 255
    prepared = prepare(saved(flag), 256, PROTOCOLS[name])
    sides = prepared[:, 128, [0, -1]].tolist()
    green, red_and_blue = [[0, 0], [255, 255], [0, 0]], [[255, 0], [0, 0], [0, 255]]
    assert sides == (green if PROTOCOLS[name].crop else red_and_blue)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_color_profile_is_ignored(name):
    prepared = prepare(saved(np.full((40, 30, 3), (150, 120, 90)), icc_profile=profile(ADOBE)), 32, PROTOCOLS[name])
    assert prepared[:, 0, 0].tolist() == [150, 120, 90]


def test_the_first_pictures_are_so_by_file_name():
    for name in ("b/1.png", "a/3.png", "b/2.png", "a/0.png"):
        photo(f"true/{name}", 0)
    dataset = EvaluationDataset(Path("true"), replace(OWN, first=3))
    assert dataset.names == ["a/0.png", "b/1.png", "b/2.png"]
    assert len(EvaluationDataset(Path("true"), OWN)) == 4


# Metrics


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_what_a_protocol_asks_for_is_known(protocol):
    assert set(protocol.metrics) <= set(KNOWN)
    assert not protocol.truth or "colorfulness_ddcolor" in protocol.metrics


def batch(pixels):
    return Batch(torch.as_tensor(pixels, dtype=torch.uint8), ["sea"] * len(pixels), None, None)


def test_the_ssim_of_ct2_has_a_range_of_225():
    dark, bright = (batch(np.full((1, 3, 16, 16), level)) for level in (10, 20))
    c = (0.01 * 225) ** 2
    expected = (2 * 10 * 20 + c) / (10**2 + 20**2 + c)  # of pictures without structure
    assert VARIANTS["ssim_ct2"].measure(dark, bright).tolist() == pytest.approx([expected], abs=1e-6)


def test_ddcolors_difference_is_that_of_the_means_of_its_colorfulness():
    metric = VARIANTS["colorfulness_difference_ddcolor"]
    assert metric.summarize(np.array([1.0, 7.0]), np.array([5.0, 1.0])).mean == 1
    pictures = batch(np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16)))
    assert torch.equal(metric.measure(pictures, pictures), functional.colorfulness_ddcolor(pictures.rgb))


class Inception(torch.nn.Module):
    """Stands for torchvision's: gives the means of the channels of what it is given."""

    def __init__(self, weights, transform_input):
        super().__init__()
        assert (weights, transform_input) == ("IMAGENET1K_V1", True)
        self.fc = torch.nn.Linear(3, 1000)

    def forward(self, pictures):
        assert pictures.shape[-2:] == (299, 299)
        return self.fc(pictures.mean(dim=(2, 3)))


@pytest.mark.parametrize(("key", "black", "white"), [("fid_ct2", 0, 1), ("fid_ddcolor", 0.5, 1)])
def test_the_features_of_torchvision_are_of_pictures_that_are_not_normalized(monkeypatch, key, black, white):
    monkeypatch.setattr("torchvision.models.inception_v3", Inception)
    networks = FeatureNetworks(None, ["sea"], (), needs=[VARIANTS[key].needs])
    pixels = torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 16, 16)
    pictures = Batch(pixels, ["sea", "sea"], networks, None)
    assert VARIANTS[key].measure(pictures, pictures).tolist() == [[black] * 3, [white] * 3]


# The command


@pytest.fixture
def pictures():
    write_pictures()


def run(name, *more):
    """Evaluates by a protocol, into r.json; returns the exit code."""
    options = ["--protocol", name, "--data", "true", "--device", "cpu", "--json", "r.json", *NO_NETWORKS]
    return evaluate.main([*options, *more])


@pytest.mark.parametrize("name", PROTOCOLS)
def test_pictures_that_equal_the_truth_are_perfect_by_every_protocol(pictures, name):
    assert run(name, "--pred", "mine", "--html", "r.html", "--csv", "r.csv") == 0
    found, protocol = results(), PROTOCOLS[name]
    assert list(found["systems"]["mine"]) == list(found["metrics"]) == list(protocol.metrics)
    for key, value in found["systems"]["mine"].items():
        goal = found["truth"][key]["mean"] if KNOWN[key].perfect is None else KNOWN[key].perfect
        assert value["mean"] == pytest.approx(goal, abs=1e-6) or KNOWN[key].needs
    assert found["data"]["size"] == protocol.size and found["data"]["resized"] == protocol.preparation
    assert found["data"]["source"] == protocol.source
    assert "not computed" not in Path("r.html").read_text(encoding="utf-8")
    header = Path("r.csv").read_text().splitlines()[0].split(",")
    assert header == ["system", *(key + end for key in protocol.metrics for end in ("", "_low", "_high"))]


def test_the_truth_is_measured_without_a_model(pictures, capsys):
    assert run("ddcolor", "--html", "r.html") == 0
    squares = [prepare(path, 256, PROTOCOLS["ddcolor"]) for path in Path("true").rglob("*.png")]
    colorfulness = functional.colorfulness_ddcolor(torch.tensor(np.stack(squares)) / 255).mean().item()
    assert list(results()["systems"]) == ["gray", "mean color"]
    assert results()["truth"]["colorfulness_ddcolor"]["mean"] == pytest.approx(colorfulness)
    assert calibration(PROTOCOLS["ddcolor"], colorfulness) in capsys.readouterr().out.splitlines()


def test_the_published_truths_stand_beside_the_measured_one():
    line = calibration(PROTOCOLS["ddcolor-5k"], 38.2049)
    assert line.endswith("colorfulness is 38.20; published: 38.21 (ImageNet val, first 5,000)")
    assert list(PROTOCOLS["ddcolor"].truth.values()) == [39.09, 38.24, 35.04]


def test_fewer_pictures_than_a_protocol_has_are_noted(pictures, capsys):
    assert run("ct2") == 0
    note = f"{COUNT} pictures, where protocol ct2 has 5000: not comparable"
    assert capsys.readouterr().err == note + "\n" and results()["notes"] == [note]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "128"], "--size 128: protocol ddcolor is of 256 px; leave --size out"),
        (["--classifier", "true"], "--classifier: no metric of protocol ddcolor needs one"),
        (["--protocol", "ddcolour"], "argument --protocol: invalid choice"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_contradicts_a_protocol_is_one_line_and_2(pictures, capsys, arguments, words):
    assert run("ddcolor", *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and words in captured.err
    assert not Path("r.json").exists()


def test_a_size_that_agrees_with_the_protocol_may_stand_there(pictures):
    assert run("nazeri2018", "--size", "256") == 0


def test_without_a_protocol_the_evaluator_measures_as_ever(pictures):
    assert evaluate.main(["--data", "true", "--pred", "mine", "--json", "r.json", *NO_NETWORKS]) == 0
    assert list(json.loads(Path("r.json").read_text())["systems"]["mine"]) == list(METRICS)
    assert results()["data"]["resized"] == "the square center of each picture, scaled to the size (bicubic), at 8 bits"
    assert results()["data"]["size"] == 256 and "protocol" not in results()["data"]
