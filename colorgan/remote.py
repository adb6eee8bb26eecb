"""Checkpoints that are elsewhere, by their addresses, such as `wandb://entity/project/run:best`."""

from collections.abc import Callable
from pathlib import Path

from colorgan.errors import UserError
from colorgan.packaged import user_cache

CHECKPOINT = "model.ckpt"  # name of the file in an artifact of W&B; that of Lightning


def local(address: str | Path) -> Path:
    """Return the path of a checkpoint on this machine, which is fetched where the address is one of `SCHEMES`.

    Raises:
        UserError: an unknown scheme, or there is no such checkpoint.
    """
    scheme, separator, rest = str(address).partition("://")
    if not separator:
        return Path(address)
    if scheme not in SCHEMES:
        raise UserError(f"{address}: no such scheme; there is {', '.join(f'{name}://' for name in SCHEMES)}")
    return SCHEMES[scheme](rest)


def artifact_name(run_id: str) -> str:
    """Return the name of the artifacts that hold the checkpoints of a run of W&B; that of Lightning's WandbLogger."""
    return f"model-{run_id}"


def _from_wandb(rest: str) -> Path:
    """Fetch `entity/project/run[:alias]`, by default the best checkpoint, into the user's cache folder."""
    place, _, alias = rest.partition(":")
    parts = place.split("/")
    if len(parts) != 3 or not all(parts):
        raise UserError(f"wandb://{rest}: write wandb://ENTITY/PROJECT/RUN:best, with the run's id, not its name")
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
        raise UserError(f"wandb://{rest}: {reason}; {hint}") from None
    return folder / CHECKPOINT


SCHEMES: dict[str, Callable[[str], Path]] = {"wandb": _from_wandb}
