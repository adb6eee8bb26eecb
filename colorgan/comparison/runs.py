"""Runs of a comparison: create them from the command line, plan them under one budget, and train them."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from colorgan import config
from colorgan.atomic import write_atomically
from colorgan.colorizer import checkpoint
from colorgan.comparison.budgets import Budget, Plan, make_plan, measured_speed
from colorgan.config.schema import Data
from colorgan.data.building import build_data
from colorgan.errors import UserError
from colorgan.evaluation.predictors import BASELINES, TRUTH
from colorgan.systems import TABLES
from colorgan.training import run_directory
from colorgan.training.batch_size import require_batch_size
from colorgan.training.hardware import resolve_hardware

PROBE_SECONDS = 30  # training time of a probe, a run that only measures the speed
PROBE_BATCHES = 5  # per epoch of a probe
SPEED_TOLERANCE = 1.25  # ratio of the actual to the measured speed above which there is a warning
WITHOUT_EFFECT = ("run_dir", "logger", "wandb.")  # beginnings of keys that change nothing of a training
# Keys that the comparison sets itself.
RESERVED_KEYS = ("name", "run_dir", "trainer.max_epochs", "trainer.max_time", "trainer.limit_train_batches")


@dataclass(frozen=True)
class Run:
    """One experiment with one seed.

    Args:
        name: unique name, used for the folder and in tables.
        file: the experiment's YAML file, or the name of a packaged experiment.
        overrides: `key=value` items.
        run_dir: the run directory.
        experiment: resolved experiment.
    """

    name: str
    file: str
    overrides: tuple[str, ...]
    run_dir: Path
    experiment: DictConfig

    @property
    def batch(self) -> int:
        """Return the number of pictures per step, over all processes."""
        full_batch = self.experiment.data.batch_size * resolve_hardware(self.experiment.trainer).processes
        return min(full_batch, build_data(self.experiment).train_count)

    def is_complete(self, plan: Plan) -> bool:
        """Return whether the run was trained to the end of its plan."""
        latest = run_directory.latest_checkpoint(self.run_dir)
        return latest is not None and run_directory.epochs_done(checkpoint.read(latest)) >= plan.epochs


def make_runs(items: list[str], seeds: int, out: Path, project: str | None = None) -> list[Run]:
    """Create the runs of a command line.

    Args:
        items: experiment files, `NAME:FILE` to rename an experiment, `key=value` to set a key of all experiments, and
            `NAME:key=value` to set it in one experiment.
        seeds: number of runs per experiment: with the experiment's seed, and with those that follow it.
        out: folder for the run directories.
        project: of W&B, for all runs; None for those of the experiments. There the runs of an experiment are a group,
            and the seed is the type of job.

    Raises:
        UserError: a key is unknown or set by the comparison; two experiments have the same name, or none has the NAME
            of a setting; an experiment is a classifier; experiments use different pictures.
    """
    files = [item for item in items if "=" not in item]
    if not files:
        raise UserError("no experiment: give files, as in experiments/gan-folder.yaml")
    settings = [_split_setting(item) for item in items if "=" in item]
    experiments = [_split_file(item) for item in files]
    names = [name for _, name in experiments]
    for file, name in experiments:
        if names.count(name) > 1:
            raise UserError(f"'{name}': two experiments have this name; give one another, as in NAME:{file}")
        if name in (*BASELINES, TRUTH):
            raise UserError(f"'{name}': every table has a row of this name; give another, as in NAME:{file}")
    for prefix, item in settings:
        if item.partition("=")[0] in RESERVED_KEYS:
            raise UserError(f"{item}: cannot be set in a comparison; --budget and --out decide it")
        if prefix not in ("", *names):
            raise UserError(f"{prefix}:{item}: no experiment is called '{prefix}', but {', '.join(names)}")
    runs = []
    for file, name in experiments:
        own = [f"name={name}", *(item for prefix, item in settings if prefix in ("", name))]
        first = config.load(file, own, TABLES).seed
        for seed in range(first, first + seeds):
            title = f"{name} seed {seed}" if seeds > 1 else name
            run_dir = out / title.replace(" ", "-")
            logged = [f"wandb.group={name}", f"wandb.job_type=seed-{seed}"]
            logged += [f"wandb.project={project}"] if project else []
            overrides = (*logged, *own, f"seed={seed}", f"run_dir={run_dir}")
            runs.append(Run(title, file, overrides, run_dir, config.load(file, overrides, TABLES)))
            if runs[-1].experiment.system.name == "classifier":
                raise UserError(f"{file}: a scene classifier colors nothing; it cannot be compared")
            require_batch_size(runs[-1].experiment)
    _check_same_pictures(runs)
    return runs


def plan_all(runs: list[Run], budget: Budget) -> dict[str, Plan]:
    """Plan all runs.

    Runs of one experiment with different seeds share a plan. All speeds are measured before anything is trained, so
    that the machine has to be idle only for that time.

    Returns:
        name of a run -> its plan.

    Raises:
        UserError: see `plan_run`.
    """
    plans: dict[str, Plan] = {}
    by_experiment: dict[str, Plan] = {}
    for run in runs:
        name = run.experiment.name
        plans[run.name] = by_experiment[name] = plan_run(run, budget, by_experiment.get(name))
    return plans


def plan_run(run: Run, budget: Budget, other_seed: Plan | None = None) -> Plan:
    """Plan how a run spends the budget.

    The plan is saved in plan.json in the run directory, and later calls load it.

    Args:
        run: the run.
        budget: budget of each run.
        other_seed: plan of the same experiment with another seed, to use instead of measuring the speed again.

    Raises:
        UserError: the run directory contains a run with other settings or without a plan; the speed cannot be measured.
    """
    path = run.run_dir / "plan.json"
    settings = {"budget": budget.text, **_flatten(config.plain(run.experiment))}
    settings = {key: value for key, value in settings.items() if not key.startswith(WITHOUT_EFFECT)}
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    changed = [key for key in settings if stored.get(key, settings[key]) != settings[key]]
    if stored and not changed:
        return Plan(**stored["plan"])
    if run_directory.contains_run(run.run_dir):
        reasons = [f"made with {key}={stored[key]}, not {settings[key]}" for key in changed]
        raise UserError(f"{run.run_dir}: {(reasons or ['contains a run without a plan'])[0]}; name another --out")
    plan = other_seed or _compute_plan(run, budget)
    run.run_dir.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps({**settings, "plan": asdict(plan)}, indent=1) + "\n")
    return plan


def _compute_plan(run: Run, budget: Budget) -> Plan:
    speed = None if budget.seconds is None else _measure_speed(run)
    return make_plan(budget, speed, run.batch, build_data(run.experiment).train_count // run.batch)


def train(run: Run, plan: Plan) -> bool:
    """Train a run to the end of its plan, from its latest checkpoint if there is one.

    Each run is a separate process, so that it starts with all memory free, and that a crash does not end the others.

    Returns:
        whether the training succeeded.
    """
    # A resumed run has the settings of its checkpoint. Giving them again would reset a learning rate that a plateau
    # schedule has lowered.
    settings = [f"run_dir={run.run_dir}"] if run_directory.latest_checkpoint(run.run_dir) else run.overrides
    return _train(run, [*settings, *plan.overrides()])


def speed_warning(run: Run, plan: Plan) -> str | None:
    """Return a warning if a run trained much faster than measured, and so used less than the budget; else None."""
    planned = plan.pictures_per_second
    if planned is None or (actual := measured_speed(run.run_dir)) < SPEED_TOLERANCE * planned:
        return None
    return (
        f"{run.name}: trained at {actual:.1f} pictures/s, but measured at {planned:.1f} while the machine was busy, "
        f"and so got less than the budget; remove {run.run_dir} and compare again"
    )


def _train(run: Run, overrides: list[str], output: int | None = None) -> bool:
    command = [sys.executable, "-m", "colorgan.train", run.file, "--resume", *overrides]
    return subprocess.run(command, check=False, stdout=output).returncode == 0


def _measure_speed(run: Run) -> float:
    """Return the pictures per second of a run, measured in `PROBE_SECONDS` of training whose files are deleted."""
    folder = run.run_dir / "probe"
    shutil.rmtree(folder, ignore_errors=True)
    short = [
        f"trainer.limit_train_batches={PROBE_BATCHES}",
        "trainer.limit_val_batches=1",
        "trainer.max_epochs=1000000",
    ]
    time = f"trainer.max_time=00:00:00:{PROBE_SECONDS:02d}"
    try:
        output = [f"run_dir={folder}", "logger=none"]
        if not _train(run, [*run.overrides, *short, time, *output], subprocess.DEVNULL):
            raise UserError(f"{run.name}: cannot be trained, see above; correct the experiment, or leave it out")
        return measured_speed(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _split_file(item: str) -> tuple[str, str]:
    """Split `NAME:FILE` into FILE and NAME; NAME is by default the name of the experiment."""
    name, _, file = item.rpartition(":")
    return file, config.load(file, [f"name={name}"] if name else [], TABLES).name


def _split_setting(item: str) -> tuple[str, str]:
    """Split `NAME:key=value` into NAME and setting; NAME is "" for a setting of all experiments."""
    key, _, value = item.partition("=")
    prefix, colon, rest = key.rpartition(":")
    return (prefix, f"{rest}={value}") if colon else ("", item)


def _check_same_pictures(runs: list[Run]) -> None:
    """Raise UserError if runs are trained or validated on different pictures."""
    first = runs[0]
    for run in runs[1:]:
        dataset_keys = [key for key in run.experiment.data if key not in {field.name for field in fields(Data)}]
        for key in ("name", "root", *dataset_keys):
            value, other = run.experiment.data[key], first.experiment.data[key]
            if value != other:
                raise UserError(
                    f"{run.name} has data.{key}={value}, {first.name} {other}: give data.{key}=... for all of them"
                )


def _flatten(node: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Flatten a nested dict to dotted keys."""
    flat = {}
    for key, value in node.items():
        flat |= _flatten(value, f"{path}{key}.") if isinstance(value, dict) else {path + key: value}
    return flat
