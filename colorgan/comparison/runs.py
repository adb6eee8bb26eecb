"""Several experiments under one budget: planned, trained one after the other in processes of their own, and judged."""

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
from colorgan.comparison.budgets import PROBE, Budget, Plan, make_plan, measured_speed
from colorgan.config.schema import Data
from colorgan.errors import UserError
from colorgan.evaluation.judging import FLOORS, TRUTH
from colorgan.systems import TABLES, build_data
from colorgan.training import run_directory
from colorgan.training.fitting import processes

SECONDS = 30  # of a probe
UNFAIR = 1.25  # a run that is so many times as fast as it was measured is said
OURS = ("name", "run_dir", "trainer.max_epochs", "trainer.max_time", "trainer.limit_train_batches")  # not the user's


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
        """Pictures a step, over all processes."""
        most = self.experiment.data.batch_size * processes(self.experiment.trainer)
        return min(most, build_data(self.experiment).train_count)

    def is_complete(self, plan: Plan) -> bool:
        """Whether its budget is spent."""
        newest = run_directory.newest(self.run_dir)
        return newest is not None and checkpoint.read(newest)["epoch"] + 1 >= plan.epochs


def make_runs(items: list[str], seeds: int, out: Path) -> list[Run]:
    """The runs of a command line.

    Args:
        items: experiment files, `NAME:FILE` for one under another name, `key=value` for all of them, and
            `NAME:key=value` for the experiment NAME alone.
        seeds: runs of each experiment, with its own seed and the following ones.
        out: the folder of the runs.

    Raises:
        UserError: a setting that an experiment does not know, or that the budget decides; two experiments of one name;
            a prefix of none; an experiment that colors nothing; different pictures.
    """
    files = [item for item in items if "=" not in item]
    if not files:
        raise UserError("no experiment: name files as in experiments/gan-folder.yaml")
    settings = [_setting(item) for item in items if "=" in item]
    drafts = [_named(item) for item in files]
    names = [name for _, name in drafts]
    for file, name in drafts:
        if names.count(name) > 1:
            raise UserError(f"'{name}': two experiments have this name; give one another, as in NAME:{file}")
        if name in (*FLOORS, TRUTH):
            raise UserError(f"'{name}': every table has a row of this name; give another, as in NAME:{file}")
    for prefix, item in settings:
        if item.partition("=")[0] in OURS:
            raise UserError(f"{item}: not a setting of runs that are compared; --budget and --out decide it")
        if prefix not in ("", *names):
            raise UserError(f"{prefix}:{item}: no experiment is called '{prefix}', but {', '.join(names)}")
    made = []
    for file, name in drafts:
        mine = [f"name={name}", *(item for prefix, item in settings if prefix in ("", name))]
        first = config.load(file, mine, TABLES).seed
        for seed in range(first, first + seeds):
            title = f"{name} seed {seed}" if seeds > 1 else name
            run_dir = out / title.replace(" ", "-")
            overrides = (*mine, f"seed={seed}", f"run_dir={run_dir}")
            made.append(Run(title, file, overrides, run_dir, config.load(file, overrides, TABLES)))
            if made[-1].experiment.system.name == "classifier":
                raise UserError(f"{file}: a scene classifier colors nothing; it cannot be compared")
    _check_same_pictures(made)
    return made


def plan_all(made: list[Run], budget: Budget) -> dict[str, Plan]:
    """How each run spends the budget; those of one experiment, whatever their seed, spend it in one way.

    All speeds are measured before anything trains, in a time that can be kept quiet.

    Raises:
        UserError: as `plan_of`.
    """
    plans: dict[str, Plan] = {}
    twins: dict[str, Plan] = {}
    for run in made:
        name = run.experiment.name
        plans[run.name] = twins[name] = plan_of(run, budget, twins.get(name))
    return plans


def plan_of(run: Run, budget: Budget, twin: Plan | None = None) -> Plan:
    """How a run spends the budget: as it was planned before, or as its `twin`, else by a measurement of its speed.

    Raises:
        UserError: there is a run that was planned otherwise, or not at all; its speed cannot be measured.
    """
    path = run.run_dir / "plan.json"
    given = {"budget": budget.text, **_flat(config.plain(run.experiment))}
    del given["run_dir"]
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    changed = [key for key in given if stored.get(key, given[key]) != given[key]]
    if stored and not changed:
        return Plan(**stored["plan"])
    if run_directory.holds_run(run.run_dir):
        made = [f"made with {key}={stored[key]}, not {given[key]}" for key in changed] or ["holds a run without a plan"]
        raise UserError(f"{run.run_dir}: {made[0]}; name another --out")
    plan = twin or _measured_plan(run, budget)
    run.run_dir.mkdir(parents=True, exist_ok=True)
    draft = path.with_name("plan.json.tmp")
    draft.write_text(json.dumps({**given, "plan": asdict(plan)}, indent=1) + "\n", encoding="utf-8")
    os.replace(draft, path)
    return plan


def _measured_plan(run: Run, budget: Budget) -> Plan:
    speed = None if budget.seconds is None else _probe(run)
    return make_plan(budget, speed, run.batch, build_data(run.experiment).train_count // run.batch)


def train(run: Run, plan: Plan) -> bool:
    """Trains a run to the end of its plan, from its last checkpoint if there is one; returns whether that went well.

    In a process of its own, so that each run starts with all the memory, and a crash is that of one run.
    """
    # A run that goes on has its settings: a learning rate that is given anew would win over one that a plateau lowered.
    settings = [f"run_dir={run.run_dir}"] if run_directory.newest(run.run_dir) else run.overrides
    return _train(run, [*settings, *plan.overrides()])


def disturbance(run: Run, plan: Plan) -> str | None:
    """A line where a run trained faster than was measured: it was measured beside something, and got too little."""
    planned = plan.pictures_per_second
    if planned is None or (actual := measured_speed(run.run_dir)) < UNFAIR * planned:
        return None
    return (
        f"{run.name}: trained at {actual:.1f} pictures/s, but was measured at {planned:.1f} beside something else, and "
        f"so got less than its share of the budget; remove {run.run_dir} and compare again"
    )


def _train(run: Run, overrides: list[str], output: int | None = None) -> bool:
    command = [sys.executable, "-m", "colorgan.train", run.file, "--resume", *overrides]
    return subprocess.run(command, check=False, stdout=output).returncode == 0


def _probe(run: Run) -> float:
    """Pictures a second, of half a minute of training that leaves nothing behind."""
    folder = run.run_dir / "probe"
    shutil.rmtree(folder, ignore_errors=True)
    short = [f"trainer.limit_train_batches={PROBE}", "trainer.limit_val_batches=1", "trainer.max_epochs=1000000"]
    time = f"trainer.max_time=00:00:00:{SECONDS:02d}"
    try:
        here = [f"run_dir={folder}", "wandb.mode=disabled"]
        if not _train(run, [*run.overrides, *short, time, *here], subprocess.DEVNULL):
            raise UserError(f"{run.name}: cannot be trained, as said above; mend it, or leave it out")
        return measured_speed(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _named(item: str) -> tuple[str, str]:
    """`NAME:FILE` or FILE: the file and the name of the experiment."""
    name, _, file = item.rpartition(":")
    return file, config.load(file, [f"name={name}"] if name else [], TABLES).name


def _setting(item: str) -> tuple[str, str]:
    """`NAME:key=value` in its two parts; without NAME, it is for all."""
    key, _, value = item.partition("=")
    prefix, colon, rest = key.rpartition(":")
    return (prefix, f"{rest}={value}") if colon else ("", item)


def _check_same_pictures(made: list[Run]) -> None:
    """Raises UserError where two runs train or are validated on different pictures."""
    first = made[0]
    for run in made[1:]:
        own = [key for key in run.experiment.data if key not in {field.name for field in fields(Data)}]
        for key in ("name", "root", *own):
            mine, other = run.experiment.data[key], first.experiment.data[key]
            if mine != other:
                raise UserError(
                    f"{run.name} has data.{key}={mine}, {first.name} {other}: say data.{key}=... for all of them"
                )


def _flat(node: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Every value of a nested dict by its dotted key."""
    flat = {}
    for key, value in node.items():
        flat |= _flat(value, f"{path}{key}.") if isinstance(value, dict) else {path + key: value}
    return flat
