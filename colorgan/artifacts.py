"""Checkpoints that runs uploaded to W&B as artifacts."""

from pathlib import Path

from colorgan.errors import UserError
from colorgan.packaged import user_cache

CHECKPOINT = "model.ckpt"  # name of the file in an artifact; that of Lightning


def artifact_name(run_id: str) -> str:
    """Return the name of the artifacts that hold the checkpoints of a run; that of Lightning's WandbLogger."""
    return f"model-{run_id}"


def fetch(address: str) -> Path:
    """Return the file of a checkpoint, which is downloaded into the user's cache folder once.

    Args:
        address: "wandb://entity/project/run[:alias]" with the id of a run; default of the alias: "best".

    Raises:
        UserError: no such artifact, or W&B cannot be reached.
    """
    place, _, alias = address.removeprefix("wandb://").partition(":")
    parts = place.split("/")
    if len(parts) != 3 or not all(parts):
        raise UserError(f"{address}: write wandb://ENTITY/PROJECT/RUN:best, with the run's id, not its name")
    import wandb

    *project, run = parts
    try:
        artifact = wandb.Api().artifact("/".join([*project, f"{artifact_name(run)}:{alias or 'best'}"]), type="model")
        folder = user_cache() / "wandb" / Path(*parts) / artifact.digest
        if not (folder / CHECKPOINT).exists():  # in part, if that is broken off: W&B writes files whole
            artifact.download(root=str(folder))
    except (wandb.Error, ValueError, OSError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        hint = "was it uploaded (wandb.log_model=best), and is `wandb login` done?"
        raise UserError(f"{address}: {reason}; {hint}") from None
    return folder / CHECKPOINT
