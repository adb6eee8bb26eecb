from pathlib import Path

import pytest

from colorgan import config
from colorgan.systems import TABLES

SMALL = {
    "iizuka2016": ["net.global_size=32"],
    "koalarization": ["net.body=resnet10t", "net.body_size=32"],
    "gan-fast": ["net.body=test_efficientnet", "discriminator.body=resnet10t"],
    "resnet18-classifier": ["system.body=resnet10t"],
}
FILES = sorted(file for file in Path("experiments").glob("*.yaml") if file.stem != "sweep")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_experiment_loads_and_names_its_paper_and_deviations(file):
    experiment = config.load(file, [], TABLES)
    assert experiment.paper
    assert experiment.deviations


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_experiment_is_a_short_diff(file):
    assert len(file.read_text().splitlines()) <= 30


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_experiment_survives_two_batches(file, tiny_train, folder):
    small = SMALL.get(file.stem, [])
    data = ["data.name=folder", f"data.root={folder}", "data.near_gray=0", "data.cache=ram"]
    assert tiny_train(*data, "pretrained=false", *small, experiment=str(file)) == 0
