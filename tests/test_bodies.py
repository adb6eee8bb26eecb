import pickle

import pytest
import safetensors.torch
import timm
import torch

from colorgan.errors import UserError
from colorgan.nets.bodies import hash_weights, make_body, make_vgg, standardize, vgg_stages

BODY = "resnet10t"


@pytest.fixture
def published():
    """Weights of a network that sees three colors, as timm publishes them."""
    model = timm.create_model(BODY, pretrained=False)
    for parameter in model.parameters():
        parameter.data.normal_(0, 0.1)
    return model.eval()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_gray_body_sees_gray_as_the_published_one_sees_it_three_times(published, tmp_path, suffix):
    file = tmp_path / f"body{suffix}"
    save = safetensors.torch.save_file if suffix == ".safetensors" else torch.save
    save(published.state_dict(), file)
    body = make_body(BODY, pretrained=True, weights=str(file), num_classes=0).eval()
    gray = torch.randn(2, 1, 32, 32)
    expected = published.forward_features(gray.expand(-1, 3, -1, -1)).mean(dim=(2, 3))
    torch.testing.assert_close(body(gray), expected, rtol=1e-4, atol=1e-5)


class ProxyError(Exception):
    """As that of httpx: neither an OSError nor a RuntimeError."""


@pytest.mark.parametrize("error", [FileNotFoundError("no network"), RuntimeError("none published"), ProxyError()])
def test_weights_that_cannot_be_had_stop_with_the_two_ways_out(monkeypatch, error):
    def fetch(*_, **options):
        assert options["pretrained"]
        raise error

    monkeypatch.setattr(timm, "create_model", fetch)
    with pytest.raises(UserError, match=rf"^{BODY}: .*net\.weights=FILE.*pretrained=false$"):
        make_body(BODY, pretrained=True)


def test_an_unknown_network_is_refused():
    with pytest.raises(ValueError, match="timm has no network 'resnet1'"):
        make_body("resnet1", pretrained=False)


def test_weights_of_another_network_are_one_line(published, tmp_path):
    torch.save(published.state_dict(), tmp_path / "body.pth")
    with pytest.raises(UserError, match=r"body.pth: not weights of 'resnet18'"):
        make_body("resnet18", pretrained=False, weights=str(tmp_path / "body.pth"), num_classes=0)


@pytest.mark.parametrize("part", ["smaller", "larger", "wrapped"])
def test_weights_that_fit_in_part_are_refused(published, tmp_path, part):
    state = published.state_dict()
    state = {
        "smaller": {key: value for key, value in state.items() if not key.startswith("layer3")},
        "larger": {**state, "layer1.1.conv1.weight": state["layer1.0.conv1.weight"]},
        "wrapped": {f"module.{key}": value for key, value in state.items()},
    }[part]
    torch.save(state, tmp_path / "body.pth")
    with pytest.raises(UserError, match=rf"body.pth: not weights of '{BODY}'"):
        make_body(BODY, pretrained=False, weights=str(tmp_path / "body.pth"), num_classes=0)


@pytest.mark.parametrize("classes", [0, 3])
def test_weights_of_few_classes_are_a_body_too(tmp_path, classes):
    few = timm.create_model(BODY, pretrained=False, num_classes=3)
    torch.save({"state_dict": few.state_dict(), "epoch": 7}, tmp_path / "body.pth")
    body = make_body(BODY, pretrained=False, weights=str(tmp_path / "body.pth"), num_classes=classes)
    assert torch.equal(body.layer4[0].conv2.weight, few.layer4[0].conv2.weight)
    assert body(torch.randn(2, 1, 32, 32)).shape == (2, classes or few.num_features)


@pytest.mark.parametrize(
    "content", [{}, [1], torch.zeros(2), 5, None, {"a": "b"}, {"state_dict": 5}, {"experiment": 5}]
)
def test_a_file_of_other_things_is_one_line_and_fetches_nothing(tmp_path, monkeypatch, content):
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: pytest.fail("fetched others"))
    torch.save(content, tmp_path / "body.pth")
    with pytest.raises(UserError, match=r"body.pth: not a file of weights"):
        make_body(BODY, pretrained=False, weights=str(tmp_path / "body.pth"), num_classes=0)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no such file of weights"):
        make_body(BODY, pretrained=False, weights=str(tmp_path / "none.pth"))


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("code of the file ran",)


@pytest.mark.parametrize("content", [b"", b"junk", pickle.dumps(Bomb())])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".ckpt"])
def test_a_file_that_holds_no_weights_is_one_line_and_runs_no_code(tmp_path, content, suffix):
    file = tmp_path / f"body{suffix}"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"body\..*: not a file of weights"):
        make_body(BODY, pretrained=False, weights=str(file))


def test_logits_of_other_classes_are_refused(published, tmp_path):
    torch.save(published.state_dict(), tmp_path / "body.pth")
    with pytest.raises(UserError, match="a classifier of 1000 classes"):
        make_body(BODY, pretrained=False, weights=str(tmp_path / "body.pth"), num_classes=6)


def test_gray_is_standardized_by_the_statistics_of_the_network():
    L, cfg = torch.tensor([0.0, 50.0, 100.0]), {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    assert standardize(L, cfg).tolist() == [-1, 0, 1]


def test_standardized_gray_has_the_statistics_of_imagenet():
    assert standardize(torch.tensor([44.9, 44.9 + 22.6])).tolist() == pytest.approx([0, 1], abs=1e-6)


def test_a_narrow_vgg_is_narrow_everywhere_and_has_no_published_weights():
    stages = vgg_stages(make_vgg("vgg19", 8, pretrained=False, weights=None))
    assert [stage[0].out_channels for stage in stages] == [8, 16, 32, 64, 64]
    assert [len(stage) for stage in stages] == [4, 4, 8, 8, 8]
    with pytest.raises(ValueError, match="pretrained=false"):
        make_vgg("vgg19", 8, pretrained=True, weights=None)


def test_the_hash_changes_with_one_weight(published):
    before = hash_weights(published)
    assert hash_weights(published) == before
    published.fc.bias.data[3] += 1e-6
    assert hash_weights(published) != before
