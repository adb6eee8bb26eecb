"""The dashboard of W&B, offline: what its panels name is what runs log."""

import json
import os
import subprocess
import sys

import pytest
import torch

from colorgan import train
from colorgan.training.loggers import PICTURES
from tests.conftest import TINY
from tests.reading import files_of, finished, history_of

SCRIPT = "experiments/dashboard.py"


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory):
    """What `--json` writes."""
    path = tmp_path_factory.mktemp("dashboard") / "dashboard.json"
    subprocess.run(
        [sys.executable, SCRIPT, "--grouped", "--json", path], check=True, env=os.environ | {"WANDB_MODE": "offline"}
    )
    return json.loads(path.read_text())["section"]


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """The keys that a GAN logs."""
    run = tmp_path_factory.mktemp("gan")
    torch.set_num_threads(1)
    arguments = [item for item in TINY if "wandb" not in item]
    assert train.main(["experiments/gan.yaml", *arguments, "wandb.mode=offline", f"run_dir={run}"]) == 0
    (file,) = files_of(run)
    keys = {key for row in history_of(finished(file)) for key in row}
    return keys | {key.rsplit(".", 1)[0] for key in keys}  # an image has its width, height, ...


def panels_of(dashboard):
    return [panel for section in dashboard["panelBankConfig"]["sections"] for panel in section["panels"]]


def test_panels_name_only_what_a_run_logs(dashboard, logged):
    named = [key for panel in panels_of(dashboard) for key in panel["config"].get("metrics", [])]
    named += [key for panel in panels_of(dashboard) for key in panel["config"].get("mediaKeys", [])]
    assert len(named) > 20 and set(named) <= logged


def test_the_table_of_pictures_is_that_of_a_run(dashboard, logged):
    (panel,) = (panel for panel in panels_of(dashboard) if panel["viewType"] == "Weave")
    assert '"val/pictures"' in json.dumps(panel) and "val/pictures" in logged


def test_every_line_is_over_pictures(dashboard):
    plots = [panel["config"] for panel in panels_of(dashboard) if "metrics" in panel["config"]]
    assert {plot["xAxis"] for plot in plots} == {PICTURES}
    assert dashboard["settings"]["xAxis"] == PICTURES


def test_runs_are_grouped_as_compare_groups_them(dashboard):
    (runs,) = dashboard["runSets"]
    assert [key["name"] for key in runs["grouping"]] == ["group"]


def test_without_a_place_it_says_what_to_write():
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.splitlines()[-1].endswith("write ENTITY/PROJECT, or --json FILE")
