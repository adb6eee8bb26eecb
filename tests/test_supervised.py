import csv
from types import SimpleNamespace

import pytest
import torch

from colorgan import config
from colorgan.errors import UserError
from colorgan.nets import NETS
from colorgan.systems import TABLES
from colorgan.systems.building import build, with_num_classes
from colorgan.systems.supervised import draw_points, gather_pixels
from tests.conftest import TINY

SCENES = ["net.global_size=32", "data.name=folder", "data.near_gray=0", "pretrained=false"]


def test_picked_pixels_by_hand():
    x = torch.arange(24.0).view(2, 1, 3, 4)
    points = torch.tensor([[[0, 0], [2, 3]], [[1, 0], [1, 2]]])
    assert gather_pixels(x, points).tolist() == [[[[0, 11]]], [[[16, 18]]]]


def test_points_lie_in_the_picture_and_differ_between_pictures():
    points = draw_points(torch.zeros(2, 1, 3, 5), 200)
    assert points.amin(dim=(0, 1)).tolist() == [0, 0] and points.amax(dim=(0, 1)).tolist() == [2, 4]
    assert not torch.equal(points[0], points[1])


def test_only_a_net_that_tells_scenes_apart_takes_a_scene_weight():
    experiment = config.load("experiments/unet-regression.yaml", [*TINY, "system.scene_weight=0.1"], TABLES)
    with pytest.raises(UserError, match=r"iizuka.*system.scene_weight=0"):
        build(experiment, fresh=True)


def test_scenes_are_trained_and_reported(tiny_train, folder, tmp_path):
    root = f"data.root={folder}"
    assert tiny_train(*SCENES, root, experiment="experiments/iizuka2016.yaml") == 0
    with (tmp_path / "run/metrics.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["train/scene_loss"]) > 0
    assert 0 <= float(row["val/scene_top1"]) <= 100


def test_pictures_of_one_folder_train_without_scenes_and_it_is_said(tiny_train, folder, tmp_path, caplog):
    root = f"data.root={folder / 'sea'}"
    assert tiny_train(*SCENES, root, experiment="experiments/iizuka2016.yaml") == 0
    assert "no scenes to classify" in caplog.text
    assert "scene" not in (tmp_path / "run/metrics.csv").read_text()


@pytest.mark.parametrize("net", [name for name in NETS if name != "resunet"])
@pytest.mark.parametrize("codec", ["regress", "bins", "axis_bins", "histograms"])
@pytest.mark.parametrize("system", ["supervised", "adversarial"])
def test_any_net_takes_any_codec_in_any_system(net, codec, system):
    names = [f"net={net}", f"codec={codec}", f"system={system}", "data.size=32", "pretrained=false"]
    sizes = {
        "encoder_unet": ["net.width=4", "net.body=test_efficientnet", "net.hints=true", "system.hint_share=0.5"],
        "resnet18": [],
        "koala": ["net.width=4", "net.body=resnet10t", "net.body_size=32"],
        "iizuka": ["net.width=4", "net.global_size=32"],
    }
    more = ["codec.space=lab", "codec.decoding=expectation"] if codec == "histograms" else []
    small = ["discriminator.width=4", *sizes.get(net, ["net.width=4"]), *more]
    model = build(config.load("experiments/gan.yaml", [*names, *small], TABLES), fresh=True)
    optimizers, _ = model.configure_optimizers()
    model.optimizers = lambda: optimizers
    model._trainer = SimpleNamespace(optimizers=optimizers)
    model.manual_backward = lambda loss: loss.backward()
    logged = {}
    model.log_train = lambda values, share=1.0: logged.update(values)
    batch = {"rgb": torch.rand(2, 3, 32, 32), "label": torch.tensor([0, 1]), "index": torch.tensor([0, 1])}
    model.initialize(iter([batch]))
    model.train_batch(batch)
    assert logged["color_loss"].isfinite() and logged["generator_gradient_norm"] > 0


@pytest.mark.parametrize(
    "codec", ["codec=bins codec.decoding=mode", "codec=axis_bins codec.decoding=sample", "codec=histograms"]
)
def test_a_discriminator_refuses_colors_without_a_gradient(codec):
    experiment = config.load("experiments/gan.yaml", [*TINY, *codec.split()], TABLES)
    with pytest.raises(UserError, match="learns from gradients of the decoded color"):
        build(experiment, fresh=True)


@pytest.mark.parametrize("name, key", [("iizuka2016", "net"), ("resnet18-classifier", "system")])
def test_the_number_of_classes_is_that_of_the_data_unless_it_is_set(name, key):
    experiment = config.load(f"experiments/{name}.yaml", [], TABLES)
    assert with_num_classes(experiment, lambda: 7, fresh=True)[key].classes == 7
    fixed = config.load(f"experiments/{name}.yaml", [f"{key}.classes=9"], TABLES)
    assert with_num_classes(fixed, lambda: 7, fresh=True)[key].classes == 9
    with pytest.raises(UserError, match=rf"{key}.classes=9: the data has 12"):
        with_num_classes(fixed, lambda: 12, fresh=True)


def test_a_run_that_started_without_scenes_goes_on_without_them():
    experiment = config.load("experiments/iizuka2016.yaml", [], TABLES)
    with pytest.raises(UserError, match=r"no scene classes; start a new run"):
        with_num_classes(experiment, lambda: 7, fresh=False)


def test_a_net_without_a_scene_loss_has_no_scene_head():
    experiment = config.load("experiments/iizuka2016.yaml", ["system.scene_weight=0"], TABLES)
    assert with_num_classes(experiment, lambda: 7, fresh=True).net.classes is None


def test_a_negative_scene_weight_is_refused():
    experiment = config.load("experiments/iizuka2016.yaml", ["system.scene_weight=-1", "net.width=4"], TABLES)
    with pytest.raises(UserError, match="scene_weight=-1"):
        build(experiment, fresh=True)
