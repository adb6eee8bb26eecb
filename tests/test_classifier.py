import csv

import pytest
import torch

from colorgan import config, load
from colorgan.color import split
from colorgan.colorizer import checkpoint
from colorgan.errors import UserError
from colorgan.nets.bodies import make_body, standardize
from colorgan.nets.koala import Koala
from colorgan.nets.resnet18 import ResNet18
from colorgan.systems import TABLES
from colorgan.systems.building import build, load_classifier


@pytest.fixture
def classify(tiny_train, folder, tmp_path):
    """Trains a classifier on the folder's two classes; returns the exit code."""

    def run(*more, body="resnet10t", root=folder):
        data = [f"system.body={body}", "data.name=folder", f"data.root={root}", "pretrained=false"]
        return tiny_train(
            *data, f"run_dir={tmp_path / 'classifier'}", *more, experiment="experiments/resnet18-classifier.yaml"
        )

    return run


@pytest.fixture
def best(tmp_path):
    return tmp_path / "classifier/best.ckpt"


def test_a_run_reports_its_accuracies_and_says_what_it_is_for(classify, best, capsys):
    assert classify() == 0
    with (best.parent / "metrics.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert 0 <= float(row["val/top1"]) <= float(row["val/top5"]) == 100
    assert f"net.weights={best}" in capsys.readouterr().out
    assert checkpoint.read(best)["experiment"]["system"]["classes"] == 2


def test_random_weights_are_said_where_a_run_starts(classify, caplog):
    classify()
    assert "the body of 'classifier' starts from random weights" in caplog.text
    caplog.clear()
    classify("--resume", "trainer.max_epochs=2")
    assert "random" not in caplog.text


def test_a_metric_that_is_not_logged_chooses_no_epoch(classify, capsys):
    assert classify("checkpoint.monitor=val/ab_error") == 2
    assert "checkpoint.monitor=val/ab_error: this system has val/loss, val/top1" in capsys.readouterr().err


def test_a_run_resumes(classify, best):
    assert classify() == 0
    assert classify("--resume", "trainer.max_epochs=2") == 0
    assert checkpoint.read(best.parent / "last.ckpt")["epoch"] == 1


def test_the_best_epoch_is_the_one_of_the_highest_accuracy(classify, best, monkeypatch):
    validated = iter([1.0, 1.0, 0.5, 0.5])  # top1 and top5 of two epochs

    def hits(logits, label, k):
        return torch.full((len(label),), 0.0 if logits.requires_grad else next(validated))

    monkeypatch.setattr("colorgan.systems.classifier.hits", hits)
    assert classify("trainer.max_epochs=2") == 0
    assert checkpoint.read(best)["epoch"] == 0


def test_a_class_that_came_later_is_one_line(classify, best, folder, capsys):
    classify()
    (folder / "sea").rename(folder / "beach")
    assert classify("--resume", "trainer.max_epochs=2") == 0  # as many as before
    (folder / "sky").mkdir()
    (folder / "beach/0.png").rename(folder / "sky/0.png")
    assert classify("--resume", "trainer.max_epochs=3") == 2
    assert capsys.readouterr().err.startswith("error: system.classes=2: the data has 3")


def test_pictures_without_classes_are_one_line(classify, folder, capsys):
    assert classify(root=folder / "sea") == 2
    assert "a folder for each of two classes" in capsys.readouterr().err


def test_a_classifier_colors_nothing(classify, best):
    classify()
    with pytest.raises(UserError, match="a scene classifier: it colors nothing"):
        load(best)


def test_a_net_starts_from_the_averaged_weights_of_a_classifier(classify, best):
    classify(body="resnet18")
    net = ResNet18(2, pretrained=True, weights=str(best))
    state = checkpoint.read(best)["state_dict"]
    for name, value in net.body.state_dict().items():
        assert torch.equal(value, state[f"ema.module.{name}"])


def test_the_logits_of_a_classifier_are_an_embedding(classify, best):
    classify()
    net = Koala(2, pretrained=True, body="resnet10t", weights=str(best), logits=2, body_size=32)
    assert torch.equal(net.body.fc.weight, checkpoint.read(best)["state_dict"]["ema.module.fc.weight"])


def test_an_embedding_of_another_width_than_the_classifiers_is_refused(classify, best):
    classify()
    with pytest.raises(UserError, match="a classifier of 2 classes"):
        Koala(2, pretrained=True, body="resnet10t", weights=str(best))


def test_weights_of_another_body_are_refused_by_its_name(classify, best):
    classify()
    with pytest.raises(UserError, match="the body 'resnet10t', not 'resnet18'"):
        make_body("resnet18", pretrained=False, weights=str(best))


def test_a_colorizers_checkpoint_is_no_body(tiny_train, tmp_path):
    tiny_train()
    with pytest.raises(UserError, match="a colorizer's checkpoint"):
        make_body("resnet18", pretrained=False, weights=str(tmp_path / "run/best.ckpt"))


def test_a_trained_net_needs_the_file_of_its_body_no_more(classify, best, tiny_train, folder, tmp_path):
    classify(body="resnet18")
    more = ["data.name=folder", f"data.root={folder}", "data.near_gray=0", f"net.weights={best}"]
    assert tiny_train(*more, experiment="experiments/cnn-regression.yaml") == 0
    best.unlink()
    assert tiny_train(*more, "--resume", "trainer.max_epochs=2", experiment="experiments/cnn-regression.yaml") == 0
    load(tmp_path / "run/last.ckpt")


def test_a_classifier_of_colors_tells_two_colors_of_one_lightness_apart(classify, best):
    classify("system.color=true", body="test_resnet")
    classifier = load_classifier(best)
    red, green = (
        torch.tensor(color)[:, None, None].expand(3, 32, 32) / 255 for color in ((222.0, 0, 0), (0, 127.0, 0))
    )
    L, _ = split(torch.stack([red, green]))
    assert (L[0] - L[1]).abs().max() < 2  # Lab units
    assert classifier.normalize_input(red[None]).shape[1] == 3
    assert not torch.allclose(classifier(red[None]), classifier(green[None]), atol=1e-5)


def test_a_classifier_of_gray_sees_no_color(classify, best):
    classify(body="test_resnet")
    content = checkpoint.read(best)
    model = build(config.resolve(content["experiment"], [], TABLES, origin=str(best)), fresh=False)
    model.load_state_dict(content["state_dict"])
    rgb = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(model.normalize_input(rgb), standardize(split(rgb)[0], model.model.pretrained_cfg))


def test_a_judge_knows_the_names_of_its_classes(classify, best):
    classify("system.color=true", body="test_resnet")
    assert load_classifier(best).names == ["forest", "sea"]


def test_logits_are_made_of_the_features(classify, best):
    classify("system.color=true", body="test_resnet")
    classifier, rgb = load_classifier(best), torch.rand(2, 3, 32, 32)
    features, logits = classifier.features_and_logits(rgb)
    assert features.shape == (2, classifier.model.num_features)
    assert torch.equal(logits, classifier(rgb))
    torch.testing.assert_close(classifier.average.get_classifier()(features), logits)


@pytest.mark.parametrize("color", [True, False])
def test_only_a_classifier_of_colors_judges(classify, best, color):
    classify(f"system.color={str(color).lower()}", body="test_resnet")
    if color:
        assert not load_classifier(best).training
    else:
        with pytest.raises(UserError, match=r"a classifier of gray images; .* experiments/judge\.yaml"):
            load_classifier(best)


def test_a_colorizer_does_not_judge(tiny_train, tmp_path):
    tiny_train()
    with pytest.raises(UserError, match=r"a colorizer; give a checkpoint of experiments/judge\.yaml"):
        load_classifier(tmp_path / "run/best.ckpt")
