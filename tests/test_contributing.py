"""The diffs of CONTRIBUTING.md, applied to a copy of the code, add what the page says."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path("CONTRIBUTING.md").read_text(encoding="utf-8")
PARTS = {"A net": 2, "A loss": 3, "A metric": 2, "A dataset": 2}  # and the files that each changes
TRY = """
import json
from colorgan import config
from colorgan.metrics.registry import METRICS
from colorgan.data.building import DATASETS
from colorgan.errors import UserError
from colorgan.systems import TABLES
import torch

experiment = config.load("gan", ["net=context", "net.width=4", "system.loss=wasserstein", "data.name=pets"], TABLES)
net = config.construct(TABLES["net"], experiment.net, channels=2)
try:
    config.construct(DATASETS, experiment.data, root=None, train=True)
except UserError as error:
    line = str(error)
from colorgan.losses import ADVERSARIAL
real, fake = torch.tensor([2.0]), torch.tensor([0.5])
print(json.dumps({
    "net": list(net(torch.rand(1, 1, 9, 7)).shape),
    "loss": [experiment.system.loss, float(ADVERSARIAL["wasserstein"][0](real, fake, 1.0))],
    "metric": METRICS["chroma_error"].title,
    "dataset": line,
}))
"""


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """What the changed copy says."""
    copy = tmp_path_factory.mktemp("copy")
    for folder in ("colorgan", "docs", "tests", "experiments"):
        ignore = shutil.ignore_patterns("__pycache__", "*.png")
        shutil.copytree(folder, copy / folder, ignore=ignore)
    diffs = "\n".join(re.findall(r"```diff\n(.*?)```", PAGE, re.S))
    subprocess.run(["git", "apply", "-"], input=diffs.encode(), cwd=copy, check=True)
    done = subprocess.run([sys.executable, "-c", TRY], cwd=copy, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("title", PARTS)
def test_every_addition_has_its_diff(title):
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    assert len(re.findall(r"^\+\+\+ b/", section, re.M)) == PARTS[title]


def test_the_net_is_built_by_its_name(tried):
    assert tried["net"] == [1, 2, 9, 7]


def test_the_loss_is_a_choice_and_has_its_value(tried):
    assert tried["loss"] == ["wasserstein", -1.5]


def test_the_metric_is_in_the_table(tried):
    assert tried["metric"] == "chroma error"


def test_the_dataset_asks_for_its_folder(tried):
    assert "the folder that holds the pets" in tried["dataset"]
