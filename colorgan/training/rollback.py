"""Train a run to its end, and go back to a healthy epoch with lower learning rates wherever it collapses."""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from colorgan import config
from colorgan.colorizer import checkpoint as checkpoints
from colorgan.data.module import PhotographDataModule
from colorgan.errors import UserError
from colorgan.training import run_directory
from colorgan.training.curves import draw_curves
from colorgan.training.guard import Collapse, Collapsed
from colorgan.training.history import read_rows
from colorgan.training.record import RecordSession
from colorgan.training.run_directory import Place
from colorgan.training.trainer import fit
from colorgan.training.writing import SafeCheckpointIO, replace_hard_link, replace_link

SEED_STEP = 1_000_000  # added to the seed at each rollback: the same order of the data might collapse again
SEEDS = 2**32


def fit_guarded(
    experiment: DictConfig,
    checkpoint: Path | None,
    init: Path | None,
    run_id: str | None,
    override_lr: bool,
    overrides: Sequence[str],
) -> None:
    """Train a run to its end; the arguments are those of `fit`, and the `key=value` items of the command line.

    Where it collapses, everything later than the latest healthy checkpoint is moved into `aside-DATE-TIME`, and that
    checkpoint is rewritten with lower learning rates and another seed. Whatever happens then, the run goes on from it.

    Raises:
        UserError: that of `fit`; the run collapses although it has gone back `guard.max_rollbacks` times.
    """
    run_dir = Path(experiment.run_dir)
    while collapse := _collapse_of(
        experiment, checkpoint, init, run_id, override_lr, [RecordSession(run_dir, checkpoint, overrides)]
    ):
        gc.collect()  # the networks and workers of the collapsed training, before others are made
        experiment, checkpoint, override_lr = _go_back(collapse, checkpoint)
        run_id = checkpoints.read(checkpoint).get("wandb_id") if checkpoint else None


def _collapse_of(*arguments: Any) -> Collapse | None:
    """Train, and return the collapse that ends the training; None if it reaches its end."""
    try:
        fit(*arguments)
    except Collapsed as collapsed:
        return collapsed.collapse
    return None


def _go_back(collapse: Collapse, start: Path | None) -> tuple[DictConfig, Path | None, bool]:
    """Return a run to its latest healthy checkpoint.

    To be called in all processes; the first one writes.

    Args:
        collapse: what is known of the collapsed training.
        start: checkpoint with which it started. It is gone back to where no epoch was healthy since.

    Returns:
        the experiment and the checkpoint to go on with, and whether its learning rates are those of the experiment,
        not those of the checkpoint.

    Raises:
        UserError: the run has gone back often enough.
    """
    experiment = collapse.experiment
    run_dir, guard = Path(experiment.run_dir), experiment.guard
    files = [run_dir / Place(epoch).file_name for epoch in collapse.healthy]
    if start and start.resolve().parent == run_dir.resolve():
        files.append(start.resolve())
    healthy = next(filter(checkpoints.is_whole, files), None)
    gives_up = guard.rollbacks >= guard.max_rollbacks
    lowered = lower(experiment)
    failure = [_turn_back(collapse, lowered, healthy, gives_up) if rank_zero_only.rank == 0 else None]
    if torch.distributed.is_initialized():  # the others wait for the first process, and end as it does
        torch.distributed.broadcast_object_list(failure)
    if failure[0]:
        raise UserError(failure[0])
    if gives_up:
        raise UserError(
            f"{run_dir}: collapsed in epoch {collapse.epoch}, after {guard.rollbacks} rollbacks: {collapse.sign.text}. "
            + (f"{healthy.name} is where it was healthy" if healthy else "No epoch was healthy")
            + f": {collapse.sign.advice}, and go on with --resume guard.rollbacks=0"
        )
    return lowered, healthy or start, healthy is None


def _turn_back(collapse: Collapse, lowered: DictConfig, healthy: Path | None, gives_up: bool) -> str | None:
    """Change the files of the run, and say so; return what went wrong.

    The checkpoint is rewritten before anything is moved: a run that is killed in between collapses and goes back again.
    """
    try:
        if healthy and not gives_up:
            _rewrite(healthy, lowered, collapse)
        backup = _move_aside(Path(lowered.run_dir), healthy)
    except OSError as error:
        return f"{error.filename or lowered.run_dir}: {error.strerror or error}; continue with --resume"
    except UserError as error:
        return str(error)
    if not gives_up:
        print(_describe(lowered, collapse, healthy, backup), file=sys.stderr, flush=True)
    return None


def lower(experiment: DictConfig) -> DictConfig:
    """Return the experiment of a run after a rollback: with lower learning rates, and another order of the data."""
    changed = OmegaConf.merge(experiment, {})
    OmegaConf.set_readonly(changed, False)
    changed.optim.lr *= experiment.guard.factor
    changed.seed = (experiment.seed + SEED_STEP) % SEEDS
    changed.guard.rollbacks += 1
    OmegaConf.set_readonly(changed, True)
    return changed


def _rewrite(path: Path, lowered: DictConfig, collapse: Collapse) -> None:
    """Write lower learning rates, the new experiment, and what going back does not turn back, into a checkpoint."""
    content = checkpoints.read(path)
    stored, now = content["experiment"]["optim"], config.plain(lowered)
    groups = [optimizer["param_groups"] for optimizer in content["optimizer_states"]]
    is_same = stored["schedule"] == lowered.optim.schedule and list(map(len, groups)) == list(map(len, collapse.rates))
    # Where the run was resumed with another optimizer or schedule since, it starts these anew, as it sees by `optim`.
    content["experiment"] = now if is_same else {**now, "optim": {**stored, "lr": lowered.optim.lr}}
    content[PhotographDataModule.__qualname__]["seed"] = lowered.seed
    content["callbacks"] |= collapse.states
    if is_same:
        for members, schedule, rates in zip(groups, content["lr_schedulers"], collapse.rates, strict=True):
            scale_rates(members, schedule, [lowered.guard.factor * rate for rate in rates])
    writer = SafeCheckpointIO()
    writer.save_checkpoint(content, path)
    if writer.failure:
        raise UserError(f"{path}: not written: {writer.failure}; free some space, and continue with --resume")


def scale_rates(groups: list[dict[str, Any]], schedule: dict[str, Any], rates: list[float]) -> None:
    """Change the initial learning rates of a stored optimizer and its schedule, in place.

    The current rates are scaled as these are, so that the run goes on at the same point of its schedule.

    Args:
        groups: parameter groups of the state of the optimizer.
        schedule: state of the schedule.
        rates: the new initial rate of each group.
    """
    for i, (group, rate) in enumerate(zip(groups, rates, strict=True)):
        old = group.get("initial_lr", group["lr"])
        group["lr"] *= rate / old if old else 1.0
        if "initial_lr" in group:
            group["initial_lr"] = rate
        for key, value in {"base_lrs": rate, "_last_lr": group["lr"]}.items():
            if key in schedule:
                schedule[key][i] = value


def _move_aside(run_dir: Path, healthy: Path | None) -> Path | None:
    """Move everything later than the healthy checkpoint aside, but leave best.ckpt in its place too."""
    backup = run_directory.go_back(run_dir, healthy)
    if backup and (backup / "best.ckpt").exists() and healthy:
        replace_hard_link(run_dir / "best.ckpt", backup / "best.ckpt")
    if healthy:
        replace_link(run_dir / "last.ckpt", healthy)
        draw_curves(read_rows(run_dir / "metrics.csv"), run_dir / "curves.png")
    return backup


def _describe(lowered: DictConfig, collapse: Collapse, healthy: Path | None, backup: Path | None) -> str:
    guard = lowered.guard
    aside = f"; what came later is in {backup}" if backup else ""
    count = f"Rollback {guard.rollbacks} of {guard.max_rollbacks}"
    start = healthy.name if healthy else "its beginning"
    new = f"back to {start} with optim.lr={lowered.optim.lr:g}{aside}"
    return f"epoch {collapse.epoch}: collapsed: {collapse.sign.text}. {count}: {new}"
