"""The networks that metrics need: loaded or not, and what they are given."""

from types import SimpleNamespace
from urllib.error import URLError

import pytest
import torch

from colorgan.metrics.metric import Batch
from colorgan.metrics.networks import NO_CLASSIFIER, FeatureNetworks
from colorgan.metrics.registry import METRICS


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

    calls = 0

    def features_and_logits(self, rgb):
        self.calls += 1
        assert rgb.shape[-1] == 8 and rgb.min() >= 0 and rgb.max() <= 1
        bright = rgb.mean(dim=(1, 2, 3))
        return rgb.mean(dim=(2, 3)), torch.stack([1 - bright, bright], dim=1)


@pytest.fixture
def networks(monkeypatch):
    monkeypatch.setattr("torchmetrics.image.lpip.LearnedPerceptualImagePatchSimilarity", Distance)
    monkeypatch.setattr("torchmetrics.image.fid.FrechetInceptionDistance", Features)


@pytest.fixture
def offline(monkeypatch):
    def fail(*_, **__):
        raise URLError("Name or service not known")

    monkeypatch.setattr("torchmetrics.image.lpip.LearnedPerceptualImagePatchSimilarity", fail)
    monkeypatch.setattr("torchmetrics.image.fid.FrechetInceptionDistance", fail)


def pictures(*levels):
    """Pictures of one level each, uint8 (B, 3, 16, 16)."""
    return torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 16, 16)


@pytest.mark.parametrize("levels", [(0, 51, 255), (51,)])
def test_lpips_is_one_value_a_picture(networks, levels):
    found = FeatureNetworks(None, ["sea"], ()).lpips_distance(pictures(*levels), pictures(*[0] * len(levels)))
    torch.testing.assert_close(found, torch.tensor(levels) * 2 / 255)


def test_lpips_is_that_of_the_batch_alone(networks):
    some = FeatureNetworks(None, ["sea"], ())
    some.lpips_distance(pictures(1, 2, 3), pictures(0, 0, 0))
    assert len(some.lpips_distance(pictures(1, 2), pictures(0, 0))) == 2


def test_lpips_is_of_alexnet_on_values_of_0_to_1(networks):
    options = FeatureNetworks(None, ["sea"], ()).lpips.options
    assert options == {"net_type": "alex", "reduction": "none", "normalize": True}


def test_lpips_may_be_of_vgg(networks):
    some = FeatureNetworks(None, ["sea"], (), needs=["lpips_vgg"])
    assert some.lpips_vgg.options == {"net_type": "vgg", "reduction": "none", "normalize": True}
    torch.testing.assert_close(some.lpips_vgg_distance(pictures(51), pictures(0)), torch.tensor([0.4]))


def test_only_what_is_needed_is_loaded(networks, monkeypatch):
    monkeypatch.setattr("torchvision.models.inception_v3", lambda **_: pytest.fail("loaded"))
    some = FeatureNetworks(None, ["sea"], (), needs=[None, "lpips"])
    assert some.lpips and not (some.lpips_vgg or some.inception or some.inception_torchvision)
    assert FeatureNetworks(None, ["sea"], ()).inception


def test_features_are_those_of_the_networks(networks):
    some = FeatureNetworks(Scenes(), ["sea"], ())
    assert some.inception_features(pictures(10, 255)).tolist() == [[10] * 3, [255] * 3]
    features, _ = some.classify(pictures(10, 255))
    torch.testing.assert_close(features, torch.tensor([[10 / 255] * 3, [1.0] * 3]))


def test_top1_is_100_where_the_classifier_is_right():
    some = FeatureNetworks(Scenes(), ["forest", "sea"], ["lpips", "fid"])
    batch = Batch(pictures(9, 9, 200), ["forest", "sea", "sea"], some, None)
    assert METRICS["top1"].measure(batch, batch).tolist() == [100, 0, 100]


def test_one_pass_of_the_classifier_serves_all_its_metrics():
    scenes = Scenes()
    batch = Batch(pictures(9, 200), ["sea", "sea"], FeatureNetworks(scenes, ["sea"], ["lpips", "fid"]), None)
    for metric in METRICS.values():
        if metric.needs in ("classifier", "classifier_labels"):
            metric.measure(batch, batch)
    assert scenes.calls == 1


def test_without_an_internet_every_requirement_says_what_is_missing(offline, caplog):
    missing = "its network's weights cannot be had here (URLError: no internet?)"
    assert FeatureNetworks(None, ["sea"], ()).missing == {
        "lpips": missing,
        "inception": missing,
        "classifier": NO_CLASSIFIER,
        "classifier_labels": NO_CLASSIFIER,
    }
    assert "--skip lpips does not try" in caplog.text and "--skip fid does not try" in caplog.text


def test_without_an_internet_the_networks_of_protocols_are_missing_too(offline, monkeypatch):
    def fail(**_):
        raise URLError("Name or service not known")

    monkeypatch.setattr("torchvision.models.inception_v3", fail)
    needs = {"lpips_vgg", "inception_torchvision"}
    missing = FeatureNetworks(None, ["sea"], (), needs=needs).missing
    assert all("cannot be had here" in missing[name] for name in needs) and "lpips" not in missing
    skipped = FeatureNetworks(None, ["sea"], ("lpips", "fid"), needs=needs).missing
    assert skipped["lpips_vgg"] == "left out by --skip lpips"
    assert skipped["inception_torchvision"] == "left out by --skip fid"


@pytest.mark.parametrize("skip", [{"lpips"}, {"fid"}, {"lpips", "fid"}])
def test_what_is_skipped_is_not_fetched(offline, caplog, skip):
    missing = FeatureNetworks(Scenes(), ["sea"], skip).missing
    assert {reason for reason in missing.values() if "skip" in reason} == {f"left out by --skip {key}" for key in skip}
    assert not any(f"--skip {key}" in caplog.text for key in skip)


def test_a_classifier_that_lacks_a_class_still_has_features():
    missing = FeatureNetworks(Scenes(), ["sea", "desert"], ["lpips", "fid"]).missing
    assert "knows no class 'desert', but forest, sea" in missing["classifier_labels"]
    assert "classifier" not in missing
