import math
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import wandb
import yaml
from omegaconf import OmegaConf
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from colorgan import config
from colorgan.systems import TABLES
from colorgan.systems.building import build
from colorgan.training import loggers

SWEEP = yaml.safe_load(Path("experiments/sweep.yaml").read_text(encoding="utf-8"))
BASE = "experiments/gan-folder.yaml"


def values_of(given):
    """What a parameter may be: its values, or the ends of its range."""
    return [given["value"]] if "value" in given else given.get("values") or [given["min"], given["max"]]


VALUES = {name: values_of(given) for name, given in SWEEP["parameters"].items()}
FIRST, LAST = ({name: values[end] for name, values in VALUES.items()} for end in (0, -1))


def agents_command(values):
    """The command line that W&B's agent makes (wandb_agent.Agent._command_run)."""
    known = create_sweep_command_args({"args": {name: {"value": value} for name, value in values.items()}})
    known["env"] = ["/usr/bin/env"]
    parts = create_sweep_command(list(SWEEP["command"]))
    return [word for part in parts for word in (known[part[2:-1]] if part.startswith("${") else [part])]


def arguments_of(values, run_id, tmp_path):
    """The arguments that reach python, by a `python` that prints them."""
    fake = tmp_path / "python"
    fake.write_text(f"#!{sys.executable}\nimport sys\nprint('\\n'.join(sys.argv[1:]))\n")
    fake.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "WANDB_RUN_ID": run_id}
    done = subprocess.run(agents_command(values), env=environment, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in VALUES.items() for value in values])
def test_a_parameter_is_a_key_of_the_experiment_and_its_value_a_legal_one(name, value):
    assert OmegaConf.select(config.load(BASE, [f"{name}={value}"], TABLES), name) == value


@pytest.mark.parametrize("values", [FIRST, LAST], ids=["first", "last"])
def test_a_draw_at_the_ends_builds_a_system(values):
    items = [f"{name}={value}" for name, value in values.items()]
    build(config.load(BASE, [*items, "net.width=4", "discriminator.width=4", "net.size=32"], TABLES), fresh=True)


def test_a_rate_in_the_notation_of_python_is_a_number():
    (item,) = create_sweep_command_args({"args": {"optim.lr": {"value": 3.1e-05}}})["args_no_hyphens"]
    assert item == "optim.lr=3.1e-05"
    assert config.load(BASE, [item], TABLES).optim.lr == 3.1e-05


def test_the_agents_command_trains_an_experiment_that_is_there(tmp_path):
    arguments = arguments_of(FIRST, "abc", tmp_path)
    assert arguments[:3] == ["-m", "colorgan.train", BASE]
    assert find_spec("colorgan.train")
    assert Path(BASE).is_file()
    assert Path(SWEEP["program"]).is_file()


def test_values_reach_the_experiment_as_they_are(tmp_path):
    values = FIRST | {"data.root": "my $HOME 'pictures'"}
    overrides = arguments_of(values, "abc", tmp_path)[3:]
    assert config.load(BASE, overrides, TABLES).data.root == "my $HOME 'pictures'"


def test_each_run_has_a_directory_of_its_own(tmp_path):
    found = [config.load(BASE, arguments_of(FIRST, name, tmp_path)[3:], TABLES).run_dir for name in ("a", "b")]
    assert found == ["checkpoints/sweep/a", "checkpoints/sweep/b"]


def test_the_goal_is_a_metric_that_is_logged_and_its_better_side():
    experiment = config.load(BASE, [], TABLES)
    mode = TABLES["system"][experiment.system.name].monitor_modes[SWEEP["metric"]["name"]]
    assert SWEEP["metric"]["goal"] == f"{mode}imize"


def test_runs_go_to_the_project_of_the_sweep():
    assert config.load(BASE, [], TABLES).wandb.project == SWEEP["project"]


def test_the_search_stops_bad_runs_before_their_last_epoch():
    early = SWEEP["early_terminate"]
    assert early["min_iter"] * early["eta"] < SWEEP["parameters"]["trainer.max_epochs"]["value"]


def test_ranges_run_upward():
    ranges = [given for given in SWEEP["parameters"].values() if "min" in given]
    assert all(isinstance(given["min"], float) and 0 < given["min"] < given["max"] < math.inf for given in ranges)


@pytest.mark.parametrize(("stored", "expected"), [(None, "from-agent"), ("stored", "stored")])
def test_a_run_takes_the_id_that_an_agent_sets_unless_it_goes_on(monkeypatch, tmp_path, stored, expected):
    monkeypatch.setenv(wandb.env.RUN_ID, "from-agent")
    experiment = config.load(BASE, [f"run_dir={tmp_path}", "wandb.mode=offline"], TABLES)
    assert loggers.make_logger(experiment, build(experiment, fresh=True), stored).version == expected


def test_without_an_agent_each_run_has_a_new_id(monkeypatch, tmp_path):
    monkeypatch.delenv(wandb.env.RUN_ID, raising=False)
    experiment = config.load(BASE, [f"run_dir={tmp_path}", "wandb.mode=offline"], TABLES)
    assert (
        loggers.make_logger(experiment, build(experiment, fresh=True), None).version
        != loggers.make_logger(experiment, build(experiment, fresh=True), None).version
    )
