"""Reading checkpoints: those of 0.1, whose systems held net and codec apart, and files that are none."""

import pytest
import torch

from colorgan import load
from colorgan.colorizer import checkpoint
from colorgan.errors import UserError
from colorgan.systems.building import load_classifier


def as_0_1(key):
    """The name that 0.1 gave a weight of a colorizer; None where it stored none."""
    if key.startswith("ema.module.codec."):
        return None
    return key.removeprefix("model.").replace("ema.module.net.", "ema.module.")


def rewrite(path, rename):
    """Renames the weights in a checkpoint file."""
    content = torch.load(path, weights_only=True)
    state = {rename(key): value for key, value in content["state_dict"].items() if rename(key)}
    assert any(key.startswith("net.") for key in state)
    torch.save({**content, "state_dict": state}, path)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("items", [["codec=regress"], ["codec=bins", "system=supervised"]])
def test_a_checkpoint_of_0_1_colors_as_before(tiny_train, tmp_path, items):
    assert tiny_train(*items) == 0
    path, picture = tmp_path / "run/last.ckpt", torch.rand(3, 40, 48)
    expected = load(path)
    rewrite(path, as_0_1)
    found = load(path)
    assert same(found.state_dict(), expected.state_dict())
    assert torch.equal(found.paint([picture])[0], expected.paint([picture])[0])


def test_a_run_of_0_1_goes_on_as_one_of_today(tiny_train, tmp_path):
    for name in ("old", "new"):
        assert tiny_train(f"run_dir={tmp_path / name}") == 0
    for file in (tmp_path / "old").glob("*.ckpt"):
        rewrite(file, as_0_1)
    for name in ("old", "new"):
        assert tiny_train(f"run_dir={tmp_path / name}", "--resume", "trainer.max_epochs=2") == 0
    old, new = (checkpoint.read(tmp_path / name / "last.ckpt") for name in ("old", "new"))
    assert old["epoch"] == 1 and same(old["state_dict"], new["state_dict"])


def test_a_classifier_of_0_1_classifies_as_before(tiny_train, folder, tmp_path):
    data = ["data=folder", f"data.root={folder}", "data.near_gray=0", "system.body=test_resnet", "pretrained=false"]
    assert tiny_train(*data, experiment="experiments/judge.yaml") == 0
    path = tmp_path / "run/last.ckpt"
    expected = load_classifier(path).state_dict()
    rewrite(path, lambda key: key.replace("model.", "net.") if key.startswith("model.") else key)
    assert same(load_classifier(path).state_dict(), expected)


def test_loading_builds_nothing_but_the_colorizer(tiny_train, tmp_path):
    assert tiny_train() == 0
    colorizer = load(tmp_path / "run/best.ckpt")
    assert type(colorizer).__mro__[1] is torch.nn.Module and not colorizer.training
    assert {name for name, _ in colorizer.named_children()} == {"net", "codec"}
    assert colorizer.size == 32


class Hostile:
    def __reduce__(self):
        return (print, ("code of the file runs",))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"experiment": {}, "state_dict": Hostile()}, "not a checkpoint, or a broken one"),
        ([1, 2], "not a checkpoint of colorgan"),
        ({"state_dict": {}}, "not a checkpoint of colorgan"),
        ({"experiment": "gan", "state_dict": {}}, "not a checkpoint of colorgan"),
        ({"experiment": {"net": "${oc.env:HOME}"}, "state_dict": {}}, "values of this machine"),
        ({"experiment": {}, "state_dict": {}}, "net, codec or data.size"),
        ({"experiment": {"net": "unet", "codec": "regress", "data": {"size": "big"}}, "state_dict": {}}, "data.size"),
        ({"experiment": {"net": "unit", "codec": "regress", "data": {"size": 32}}, "state_dict": {}}, "did you mean"),
        (
            {"experiment": {"net": {"name": "unet", "size": 32}, "codec": "regress", "data": {"size": 32}}}
            | {"state_dict": {}},
            "do not fit its experiment",
        ),
    ],
)
def test_a_file_that_is_no_colorizer_is_one_line(tmp_path, capsys, content, line):
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(UserError, match=line) as error:
        load(tmp_path / "x.ckpt")
    assert str(error.value).startswith(f"{tmp_path / 'x.ckpt'}: ") and "\n" not in str(error.value)
    assert capsys.readouterr().out == ""
