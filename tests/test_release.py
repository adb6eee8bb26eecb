import pytest
import torch

from colorgan import load, release
from colorgan.colorizer import checkpoint


@pytest.fixture
def run(tiny_train, tmp_path):
    """The run directory of a tiny GAN."""
    assert tiny_train() == 0
    return tmp_path / "run"


def test_a_released_generator_colors_as_its_checkpoint_does(run, tmp_path, capsys):
    assert release.main([str(run / "last.ckpt"), str(tmp_path / "small.ckpt")]) == 0
    assert "SHA-256" in capsys.readouterr().out
    picture = torch.rand(3, 40, 48)
    given, released = load(run / "last.ckpt"), load(tmp_path / "small.ckpt")
    assert torch.allclose(given.paint([picture])[0], released.paint([picture])[0], atol=5e-3)  # half precision


def test_stronger_colors_are_for_good(run, tmp_path):
    assert release.main([str(run / "last.ckpt"), str(tmp_path / "small.ckpt"), "--saturation", "20"]) == 0
    picture = torch.rand(3, 40, 48)
    given, released = load(run / "last.ckpt"), load(tmp_path / "small.ckpt")
    pale, strong = (given.paint([picture], saturation=factor)[0] for factor in (1, 20))
    assert (released.paint([picture])[0] - strong).abs().mean() < 0.1 * (strong - pale).abs().mean()


def test_what_cannot_be_read_back_is_not_left(run, tmp_path, capsys):
    assert release.main([str(run / "last.ckpt"), str(tmp_path / "small.ckpt"), "--saturation", "0"]) == 2
    assert "scale=0" in capsys.readouterr().err
    assert not (tmp_path / "small.ckpt").exists()


def test_a_codec_of_bins_has_no_stronger_colors(tiny_train, tmp_path, capsys):
    assert tiny_train("system=supervised", "codec=bins") == 0
    assert release.main([str(tmp_path / "run/last.ckpt"), str(tmp_path / "s.ckpt"), "--saturation", "1.5"]) == 2
    assert "codec=bins" in capsys.readouterr().err
    assert not (tmp_path / "s.ckpt").exists()


def test_it_names_no_file_of_the_machine(tiny_train, folder, tmp_path):
    data = ["data.name=folder", f"data.root={folder}", f"data.also=[{folder}]", "data.near_gray=0"]
    parts = ["system=supervised", "codec=bins", "net=encoder_unet", "net.body=test_efficientnet", "pretrained=false"]
    assert tiny_train(*data, *parts) == 0
    content = torch.load(tmp_path / "run/last.ckpt", weights_only=True)
    for node, key in (("codec", "prior"), ("net", "weights"), ("data", "root"), ("data", "also")):
        assert key in content["experiment"][node]
        content["experiment"][node][key] = "/home/me/mine"
    torch.save(content, tmp_path / "mine.ckpt")
    assert release.main([str(tmp_path / "mine.ckpt"), str(tmp_path / "small.ckpt")]) == 0
    experiment = checkpoint.read(tmp_path / "small.ckpt")["experiment"]
    assert "/home/me" not in str(experiment)
    assert (experiment["data"]["root"], experiment["data"]["also"]) == (None, [])  # `evaluate` asks for them


def test_it_is_small_and_tells_nothing_of_the_machine(run, tmp_path):
    model = load(run / "last.ckpt")
    release.main([str(run / "last.ckpt"), str(tmp_path / "small.ckpt")])
    weights = 2 * sum(p.numel() for p in model.net.parameters())
    assert (tmp_path / "small.ckpt").stat().st_size < 1.5 * weights + 100_000
    content = checkpoint.read(tmp_path / "small.ckpt")
    assert str(tmp_path) not in str(content["experiment"])
    assert not [key for key in content["state_dict"] if key.startswith("discriminator")]


def test_it_overwrites_nothing(run, tmp_path, capsys):
    (tmp_path / "small.ckpt").write_text("mine")
    assert release.main([str(run / "last.ckpt"), str(tmp_path / "small.ckpt")]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "small.ckpt").read_text() == "mine"
