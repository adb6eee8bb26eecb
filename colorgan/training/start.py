"""Where a run starts: anew, from the weights of another run, or where an earlier one stopped."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from colorgan import config
from colorgan.colorizer import checkpoint
from colorgan.errors import UserError
from colorgan.systems import TABLES
from colorgan.training import run_directory
from colorgan.training.fitting import fit

FIXED = ("net", "codec", "discriminator", "system.name", "system.body")  # keys that a checkpoint's weights depend on


@dataclass
class Start:
    """A run that has not begun."""

    experiment: DictConfig  # resolved
    checkpoint: Path | None  # what it goes on from
    init: Path | None  # what a new run's net starts from
    going_back: bool  # the checkpoint is an older one, and what is later has to be moved aside
    resuming: bool  # the run directory may hold a run
    lr_wins: bool  # the learning rate was given, and wins over that of the checkpoint
    wandb_id: str | None  # the W&B run to continue
    complete: str | None  # why there is nothing more to do

    def as_yaml(self) -> str:
        """Return the resolved experiment as YAML."""
        return OmegaConf.to_yaml(OmegaConf.create(config.plain(self.experiment)))


def plan(experiment: str, overrides: list[str], resume: bool, back_to: str | None, init: str | None) -> Start:
    """Decide where a run starts, and read all that it needs, before anything is written.

    Args:
        experiment: a YAML file, or the name of a packaged experiment.
        overrides: `key=value` items.
        resume: go on from the last checkpoint of the run directory, if there is one.
        back_to: go on from this checkpoint.
        init: start a new run with the averaged net of this checkpoint.

    Raises:
        UserError: an experiment or a checkpoint that cannot be used.
    """
    written = config.load(experiment, overrides, TABLES)
    run_dir = Path(written.run_dir)
    start = Path(back_to) if back_to else (run_directory.newest(run_dir) if resume else None)
    content = checkpoint.read(start) if start else {}
    source = Path(init) if init and not start else None
    if source:
        checkpoint.read(source)  # what cannot be read is reported before anything begins
    resolved = _continued(written, content, overrides, start) if content else written
    return Start(
        experiment=resolved,
        checkpoint=start,
        init=source,
        going_back=bool(back_to),
        resuming=resume,
        lr_wins=any(item.startswith(("optim.lr=", "system.discriminator_lr=")) for item in overrides),
        wandb_id=None if back_to else content.get("wandb_id"),  # W&B does not go back: a new branch is a new run
        complete=run_directory.why_complete(content, resolved) if content else None,
    )


def run(start: Start) -> None:
    """Train a run to its end, and print where its results are.

    Raises:
        UserError: the run directory holds another run; the experiment cannot run here.
    """
    if rank_zero_only.rank == 0:
        _make_room(start)
    fit(start.experiment, start.checkpoint, start.init, start.wandb_id, start.lr_wins)
    _print_results(start.experiment)


def _continued(written: DictConfig, content: dict[str, Any], overrides: list[str], start: Path) -> DictConfig:
    """Return the stored experiment under the overrides, in the run directory of the command line."""
    stored = {**content["experiment"], "run_dir": written.run_dir}
    experiment = config.resolve(stored, overrides, TABLES, origin=str(start))
    for key in FIXED:
        old, new = (OmegaConf.select(OmegaConf.create(node), key) for node in (stored, config.plain(experiment)))
        if old != new:
            raise UserError(f"{key}: {start} was trained with another one; start a new run with run_dir=... instead")
    return experiment


def _make_room(start: Start) -> None:
    """Make sure that nothing of an earlier run is overwritten."""
    run_dir = Path(start.experiment.run_dir)
    if start.going_back and start.checkpoint.resolve().parent == run_dir.resolve():
        if aside := run_directory.set_aside(run_dir, start.checkpoint):
            print(f"what came after {start.checkpoint.name} is now in {aside}")
    elif run_directory.holds_run(run_dir) and not (start.resuming and start.checkpoint):
        raise UserError(f"{run_dir} holds a run: go on with --resume, or start another with run_dir=...")


@rank_zero_only
def _print_results(experiment: DictConfig) -> None:
    best = Path(experiment.run_dir) / "best.ckpt"
    if experiment.system.name == "classifier":
        print(f"{experiment.run_dir} holds the run; start a net with the body {experiment.system.body} from it with")
        print(f"  net.weights={best}")
        return
    print(
        f"checkpoints, metrics.csv, curves.png and samples/ are in {experiment.run_dir}; color your own pictures with"
    )
    print(f"  python -m colorgan.sample --ckpt {best} PICTURE ...")
