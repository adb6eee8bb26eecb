"""Start a new run, or resume one from its latest or an earlier checkpoint."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from colorgan import config, remote
from colorgan.colorizer import checkpoint
from colorgan.errors import UserError
from colorgan.systems import TABLES
from colorgan.training import run_directory
from colorgan.training.batch_size import resolved_batch_size
from colorgan.training.lock import locked
from colorgan.training.rollback import fit_guarded

# Keys that determine the shapes and the meaning of weights, and so must not change when a run resumes.
ARCHITECTURE_KEYS = ("net", "codec", "discriminator", "system.name", "system.body")
RATES = ("optim.lr=", "optim.encoder_lr=", "system.discriminator_lr=")  # overrides that replace restored rates


@dataclass
class PlannedRun:
    """Everything that `run` needs to know to train a run.

    Args:
        experiment: resolved experiment.
        overrides: `key=value` items of the command line.
        checkpoint: checkpoint to resume from; None for a new run.
        init: checkpoint whose averaged net initializes the net of a new run.
        going_back: the checkpoint was chosen by the user, and results of later epochs have to be moved away.
        resuming: the run directory may contain a run.
        override_lr: a learning rate was given, and replaces that of the checkpoint.
        wandb_id: id of the W&B run to continue.
        complete: why the run is already complete, and how to continue it; None if there is training left to do.
    """

    experiment: DictConfig
    overrides: list[str]
    checkpoint: Path | None
    init: Path | None
    going_back: bool
    resuming: bool
    override_lr: bool
    wandb_id: str | None
    complete: str | None

    def as_yaml(self) -> str:
        """Return the resolved experiment as YAML."""
        return OmegaConf.to_yaml(OmegaConf.create(config.plain(self.experiment)))


def plan(experiment: str, overrides: list[str], resume: bool, back_to: str | None, init: str | None) -> PlannedRun:
    """Decide where a run starts, and check its experiment and checkpoints, before anything is written.

    Args:
        experiment: a YAML file, or the name of a packaged experiment.
        overrides: `key=value` items.
        resume: resume from the latest checkpoint of the run directory, if there is one.
        back_to: resume from this checkpoint.
        init: start a new run with the averaged net of this checkpoint.

    Raises:
        UserError: the experiment or a checkpoint cannot be used.
    """
    written = config.load(experiment, overrides, TABLES)
    run_dir = Path(written.run_dir)
    start = remote.fetch(back_to) if back_to else (run_directory.latest_checkpoint(run_dir) if resume else None)
    content = checkpoint.read(start) if start else {}
    source = remote.fetch(init) if init and not start else None
    if source:
        checkpoint.read(source)  # only to report an unreadable file before training starts
    resolved = _resume_experiment(written, content, overrides, start) if content else written
    return PlannedRun(
        experiment=resolved,
        overrides=overrides,
        checkpoint=start,
        init=source,
        going_back=bool(back_to),
        resuming=resume,
        override_lr=any(item.startswith(RATES) for item in overrides),
        wandb_id=None if back_to else content.get("wandb_id"),  # a W&B run cannot go back to an earlier step
        complete=run_directory.completion_message(content, resolved) if content else None,
    )


def run(planned: PlannedRun) -> None:
    """Train a run to its end, and print where its results are.

    Raises:
        UserError: the run directory contains another run, or another process trains in it; the experiment cannot run
            on this machine, or diverged.
        Stopped: there was a signal to stop; everything is saved.
    """
    is_first, run_dir = rank_zero_only.rank == 0, Path(planned.experiment.run_dir)
    with locked(run_dir) if is_first else nullcontext():
        if is_first:
            _prepare_run_directory(planned)
        start = (planned.checkpoint, planned.init, planned.wandb_id, planned.override_lr)
        with resolved_batch_size(planned.experiment) as experiment:
            fit_guarded(experiment, *start, planned.overrides)
    _print_results(planned.experiment)


def _resume_experiment(written: DictConfig, content: dict[str, Any], overrides: list[str], start: Path) -> DictConfig:
    """Resolve the experiment of a run that resumes.

    Args:
        written: the experiment of the command line; only its run directory is used.
        content: content of the checkpoint, whose experiment is used.
        overrides: `key=value` items, applied to it.
        start: path of the checkpoint.

    Raises:
        UserError: an override changes the architecture.
    """
    stored = {**content["experiment"], "run_dir": written.run_dir}
    sizes = [item for item in overrides if item.startswith("data.batch_size=")]
    if sizes and sizes[-1] == "data.batch_size=auto":  # what was found is stored
        overrides = [item for item in overrides if item not in sizes]
    experiment = config.resolve(stored, overrides, TABLES, origin=str(start))
    for key in ARCHITECTURE_KEYS:
        old, new = (OmegaConf.select(OmegaConf.create(node), key) for node in (stored, config.plain(experiment)))
        if old != new:
            raise UserError(f"{key}: {start} was trained with another value; start a new run with run_dir=... instead")
    return experiment


def _prepare_run_directory(planned: PlannedRun) -> None:
    """Move results away that going back would overwrite; raise UserError if a new run would overwrite another one."""
    run_dir = Path(planned.experiment.run_dir)
    for unfinished in run_dir.glob(".*.part"):  # of a process that was killed while it wrote
        unfinished.unlink()
    if planned.going_back and planned.checkpoint.resolve().parent == run_dir.resolve():
        if backup := run_directory.go_back(run_dir, planned.checkpoint):
            print(f"results later than {planned.checkpoint.name} are now in {backup}")
    elif run_directory.contains_run(run_dir) and not (planned.resuming and planned.checkpoint):
        raise UserError(f"{run_dir} contains a run: continue it with --resume, or start another with run_dir=...")


@rank_zero_only
def _print_results(experiment: DictConfig) -> None:
    best = Path(experiment.run_dir) / "best.ckpt"
    if experiment.system.name == "classifier":
        print(f"checkpoints are in {experiment.run_dir}; start a net with body {experiment.system.body} from one with")
        print(f"  net.weights={best}")
        return
    print(
        f"checkpoints, metrics.csv, curves.png and samples/ are in {experiment.run_dir}; color your own pictures with"
    )
    print(f"  python -m colorgan.sample --ckpt {best} PICTURE ...")
