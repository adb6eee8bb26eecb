"""The runs of a comparison: made from the command line, planned under one budget, and trained one after the other."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from colorgan import config
from colorgan.colorizer import checkpoint
from colorgan.comparison.budgets import Budget, Plan, make_plan, measured_speed
from colorgan.config.schema import Data
from colorgan.data.building import build_data
from colorgan.errors import UserError
from colorgan.evaluation.predictors import BASELINES, TRUTH
from colorgan.systems import TABLES
from colorgan.training import run_directory
from colorgan.training.fitting import processes

PROBE_SECONDS = 30  # how long a probe trains to measure the speed
PROBE_BATCHES = 5  # per epoch of a probe
SPEED_TOLERANCE = 1.25  # how many times as fast as measured a run may train without a warning
RESERVED = ("name", "run_dir", "trainer.max_epochs", "trainer.max_time", "trainer.limit_train_batches")


@dataclass(frozen=True)
class Run:
    """One experiment with one seed."""

    name: str
    file: str
    overrides: tuple[str, ...]
    run_dir: Path
    experiment: DictConfig

    @property
    def batch(self) -> int:
        """Pictures per step, over all processes."""
        most = self.experiment.data.batch_size * processes(self.experiment.trainer)
        return min(most, build_data(self.experiment).train_count)

    def is_complete(self, plan: Plan) -> bool:
        """Tell whether the run was trained to the end of its plan."""
        newest = run_directory.newest(self.run_dir)
        return newest is not None and checkpoint.read(newest)["epoch"] + 1 >= plan.epochs


def make_runs(items: list[str], seeds: int, out: Path) -> list[Run]:
    """Make the runs of a command line.

    Args:
        items: experiment files, `NAME:FILE` to give one another name, `key=value` for all experiments, and
            `NAME:key=value` for the experiment NAME alone.
        seeds: runs per experiment, the first with the experiment's seed, the others with the following ones.
        out: the folder of the runs.

    Raises:
        UserError: an experiment does not know a setting, or the budget decides it; two experiments have one name;
            a NAME is that of no experiment; an experiment is a classifier; experiments use different pictures.
    """
    files = [item for item in items if "=" not in item]
    if not files:
        raise UserError("no experiment: name files as in experiments/gan-folder.yaml")
    settings = [_setting(item) for item in items if "=" in item]
    experiments = [_file_and_name(item) for item in files]
    names = [name for _, name in experiments]
    for file, name in experiments:
        if names.count(name) > 1:
            raise UserError(f"'{name}': two experiments have this name; give one another, as in NAME:{file}")
        if name in (*BASELINES, TRUTH):
            raise UserError(f"'{name}': every table has a row of this name; give another, as in NAME:{file}")
    for prefix, item in settings:
        if item.partition("=")[0] in RESERVED:
            raise UserError(f"{item}: not a setting of runs that are compared; --budget and --out decide it")
        if prefix not in ("", *names):
            raise UserError(f"{prefix}:{item}: no experiment is called '{prefix}', but {', '.join(names)}")
    runs = []
    for file, name in experiments:
        own = [f"name={name}", *(item for prefix, item in settings if prefix in ("", name))]
        first = config.load(file, own, TABLES).seed
        for seed in range(first, first + seeds):
            title = f"{name} seed {seed}" if seeds > 1 else name
            run_dir = out / title.replace(" ", "-")
            overrides = (*own, f"seed={seed}", f"run_dir={run_dir}")
            runs.append(Run(title, file, overrides, run_dir, config.load(file, overrides, TABLES)))
            if runs[-1].experiment.system.name == "classifier":
                raise UserError(f"{file}: a scene classifier colors nothing; it cannot be compared")
    _check_same_pictures(runs)
    return runs


def plan_all(runs: list[Run], budget: Budget) -> dict[str, Plan]:
    """Plan all runs, by name; those of one experiment with different seeds share a plan.

    All speeds are measured before anything trains, so that the machine need be idle only for that time.

    Raises:
        UserError: as `plan_run`.
    """
    plans: dict[str, Plan] = {}
    of_experiment: dict[str, Plan] = {}
    for run in runs:
        name = run.experiment.name
        plans[run.name] = of_experiment[name] = plan_run(run, budget, of_experiment.get(name))
    return plans


def plan_run(run: Run, budget: Budget, other_seed: Plan | None = None) -> Plan:
    """Plan how a run spends the budget, and keep that in plan.json, from which a later call takes it.

    Args:
        run: the run.
        budget: of each run.
        other_seed: the plan of the same experiment with another seed, which is taken over instead of measuring.

    Raises:
        UserError: the run's folder holds a run with another plan or none; the speed cannot be measured.
    """
    path = run.run_dir / "plan.json"
    given = {"budget": budget.text, **_flat(config.plain(run.experiment))}
    del given["run_dir"]
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    changed = [key for key in given if stored.get(key, given[key]) != given[key]]
    if stored and not changed:
        return Plan(**stored["plan"])
    if run_directory.holds_run(run.run_dir):
        reasons = [f"made with {key}={stored[key]}, not {given[key]}" for key in changed]
        raise UserError(f"{run.run_dir}: {(reasons or ['holds a run without a plan'])[0]}; name another --out")
    plan = other_seed or _measured_plan(run, budget)
    run.run_dir.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name("plan.json.tmp")
    temporary.write_text(json.dumps({**given, "plan": asdict(plan)}, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)
    return plan


def _measured_plan(run: Run, budget: Budget) -> Plan:
    speed = None if budget.seconds is None else _probe(run)
    return make_plan(budget, speed, run.batch, build_data(run.experiment).train_count // run.batch)


def train(run: Run, plan: Plan) -> bool:
    """Train a run to the end of its plan, from its last checkpoint if there is one; return whether that succeeded.

    Each run is a process of its own: it starts with all memory free, and a crash does not end the others.
    """
    # A resumed run has its settings already: a given learning rate would replace one that a plateau has lowered.
    settings = [f"run_dir={run.run_dir}"] if run_directory.newest(run.run_dir) else run.overrides
    return _train(run, [*settings, *plan.overrides()])


def speed_warning(run: Run, plan: Plan) -> str | None:
    """Return a warning if a run trained much faster than measured, so that its plan spent less than the budget."""
    planned = plan.pictures_per_second
    if planned is None or (actual := measured_speed(run.run_dir)) < SPEED_TOLERANCE * planned:
        return None
    return (
        f"{run.name}: trained at {actual:.1f} pictures/s, but was measured at {planned:.1f} while the machine was "
        f"busy, and so got less than the budget; remove {run.run_dir} and compare again"
    )


def _train(run: Run, overrides: list[str], output: int | None = None) -> bool:
    command = [sys.executable, "-m", "colorgan.train", run.file, "--resume", *overrides]
    return subprocess.run(command, check=False, stdout=output).returncode == 0


def _probe(run: Run) -> float:
    """Measure pictures per second in half a minute of training that leaves no files."""
    folder = run.run_dir / "probe"
    shutil.rmtree(folder, ignore_errors=True)
    short = [
        f"trainer.limit_train_batches={PROBE_BATCHES}",
        "trainer.limit_val_batches=1",
        "trainer.max_epochs=1000000",
    ]
    time = f"trainer.max_time=00:00:00:{PROBE_SECONDS:02d}"
    try:
        output = [f"run_dir={folder}", "wandb.mode=disabled"]
        if not _train(run, [*run.overrides, *short, time, *output], subprocess.DEVNULL):
            raise UserError(f"{run.name}: cannot be trained, see above; correct the experiment, or leave it out")
        return measured_speed(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _file_and_name(item: str) -> tuple[str, str]:
    """Split `NAME:FILE`; of a FILE alone, take the name from the experiment."""
    name, _, file = item.rpartition(":")
    return file, config.load(file, [f"name={name}"] if name else [], TABLES).name


def _setting(item: str) -> tuple[str, str]:
    """Split `NAME:key=value` into NAME and setting; NAME is "" for a setting of all experiments."""
    key, _, value = item.partition("=")
    prefix, colon, rest = key.rpartition(":")
    return (prefix, f"{rest}={value}") if colon else ("", item)


def _check_same_pictures(runs: list[Run]) -> None:
    """Raise UserError where two runs are trained or validated on different pictures."""
    first = runs[0]
    for run in runs[1:]:
        of_dataset = [key for key in run.experiment.data if key not in {field.name for field in fields(Data)}]
        for key in ("name", "root", *of_dataset):
            value, other = run.experiment.data[key], first.experiment.data[key]
            if value != other:
                raise UserError(
                    f"{run.name} has data.{key}={value}, {first.name} {other}: give data.{key}=... for all of them"
                )


def _flat(node: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Flatten a nested dict to dotted keys."""
    flat = {}
    for key, value in node.items():
        flat |= _flat(value, f"{path}{key}.") if isinstance(value, dict) else {path + key: value}
    return flat
