"""The networks that judge: fetched or not, and what they are given."""

from types import SimpleNamespace
from urllib.error import URLError

import pytest
import torch

from colorgan.evaluation import judges
from colorgan.evaluation.judges import Judges

NONE = frozenset()


class Distance(torch.nn.Module):
    """Stands for torchmetrics' LPIPS with reduction="none": the mean absolute difference of each picture, twice."""

    def __init__(self, **options):
        super().__init__()
        self.options = options

    def reset(self):
        self.scores = []

    def update(self, rgb, truth):
        assert rgb.min() >= 0 and rgb.max() <= 1 and rgb.is_floating_point()
        self.scores.append(2 * (rgb - truth).abs().mean(dim=(1, 2, 3), keepdim=True))

    def compute(self):
        return torch.cat(self.scores).squeeze()


class Features(torch.nn.Module):
    """Stands for torchmetrics' FID: its network takes bytes and gives the means of the channels."""

    def __init__(self, feature):
        super().__init__()
        assert feature == 2048
        self.inception = Means()


class Means(torch.nn.Module):
    def forward(self, pictures):
        assert pictures.dtype == torch.uint8
        return pictures.double().mean(dim=(2, 3))


class Scenes(torch.nn.Module):
    """Stands for a classifier of two scenes: bright ones are the sea."""

    names = ("forest", "sea")
    experiment = SimpleNamespace(data=SimpleNamespace(size=8))

    def look(self, rgb):
        assert rgb.shape[-1] == 8 and rgb.min() >= 0 and rgb.max() <= 1
        bright = rgb.mean(dim=(1, 2, 3))
        return rgb.mean(dim=(2, 3)), torch.stack([1 - bright, bright], dim=1)


@pytest.fixture
def networks(monkeypatch):
    monkeypatch.setattr(judges, "LearnedPerceptualImagePatchSimilarity", Distance)
    monkeypatch.setattr(judges, "FrechetInceptionDistance", Features)


@pytest.fixture
def offline(monkeypatch):
    def fail(*_, **__):
        raise URLError("Name or service not known")

    monkeypatch.setattr(judges, "LearnedPerceptualImagePatchSimilarity", fail)
    monkeypatch.setattr(judges, "FrechetInceptionDistance", fail)


def pictures(*levels):
    """Pictures of one level each, uint8 (B, 3, 16, 16)."""
    return torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 16, 16)


@pytest.mark.parametrize("levels", [(0, 51, 255), (51,)])
def test_lpips_is_one_value_a_picture(networks, levels):
    found = Judges(None, ["sea"], NONE).compare(pictures(*levels), pictures(*[0] * len(levels)))
    torch.testing.assert_close(found, {"lpips": torch.tensor(levels) * 2 / 255})


def test_lpips_is_that_of_the_batch_alone(networks):
    some = Judges(None, ["sea"], NONE)
    some.compare(pictures(1, 2, 3), pictures(0, 0, 0))
    assert len(some.compare(pictures(1, 2), pictures(0, 0))["lpips"]) == 2


def test_lpips_is_of_alexnet_on_values_of_0_to_1(networks):
    options = Judges(None, ["sea"], NONE).lpips.options
    assert options == {"net_type": "alex", "reduction": "none", "normalize": True}


def test_features_are_those_of_the_networks(networks):
    _, found = Judges(Scenes(), ["sea"], NONE).look(pictures(10, 255), ["sea"] * 2)
    assert found["fid"].tolist() == [[10] * 3, [255] * 3]
    torch.testing.assert_close(found["fid_classifier"], torch.tensor([[10 / 255] * 3, [1.0] * 3]))


def test_top1_is_100_where_the_classifier_is_right():
    some = Judges(Scenes(), ["forest", "sea"], frozenset({"lpips", "fid"}))
    found, _ = some.look(pictures(9, 9, 200), ["forest", "sea", "sea"])
    assert found["top1"].tolist() == [100, 0, 100]


def test_without_an_internet_every_metric_says_what_is_missing(offline, caplog):
    some = Judges(None, ["sea"], NONE)
    missing = "its network's weights cannot be had here (URLError: no internet?)"
    assert some.why == {
        "lpips": missing,
        "fid": missing,
        "kid": missing,
        "fid_classifier": judges.NO_CLASSIFIER,
        "kid_classifier": judges.NO_CLASSIFIER,
        "top1": judges.NO_CLASSIFIER,
    }
    assert some.compare(pictures(1), pictures(0)) == {}
    assert some.look(pictures(1), ["sea"]) == ({}, {})
    assert "--skip lpips does not try" in caplog.text and "--skip fid does not try" in caplog.text


@pytest.mark.parametrize("skip", [{"lpips"}, {"fid"}, {"lpips", "fid"}])
def test_what_is_skipped_is_not_fetched(offline, caplog, skip):
    why = Judges(Scenes(), ["sea"], frozenset(skip)).why
    assert {key for key, reason in why.items() if reason == f"left out by --skip {key}"} == skip
    assert why.get("kid") == why.get("fid")
    assert not any(f"--skip {key}" in caplog.text for key in skip)


def test_a_classifier_that_lacks_a_class_still_has_features():
    some = Judges(Scenes(), ["sea", "desert"], frozenset({"lpips", "fid"}))
    assert "knows no class 'desert', but forest, sea" in some.why["top1"]
    values, features = some.look(pictures(1), ["desert"])
    assert (values, features.keys()) == ({}, {"fid_classifier"})
