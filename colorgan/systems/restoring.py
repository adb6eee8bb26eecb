"""What of a checkpoint fits a run that goes on with other settings, or with a newer version."""

from typing import Any

from colorgan.optim.optimizers import has_own_body_rate

PER_GROUP = {"base_lrs", "min_lrs", "_last_lr"}  # of the state of a schedule: a value for each group of parameters


def drop_other_states(checkpoint: dict[str, Any], optim: Any) -> bool:
    """Remove the states of schedules and optimizers of another kind from a checkpoint.

    Args:
        checkpoint: of Lightning, with its experiment.
        optim: `optim` of the experiment that goes on.

    Returns:
        whether the optimizers begin anew.
    """
    stored = checkpoint["experiment"]["optim"]
    if stored["schedule"] != optim.schedule:
        checkpoint["lr_schedulers"] = []
    if _grouping(stored) == _grouping(optim):
        return False
    checkpoint["optimizer_states"] = []
    for state in checkpoint["lr_schedulers"]:
        for key in PER_GROUP & state.keys():
            del state[key]
    return True


def pictures_of(checkpoint: dict[str, Any], processes: int) -> int:
    """Return the training pictures that a run had seen; of a checkpoint that does not count them, from its batches.

    Args:
        checkpoint: of Lightning, with its experiment.
        processes: of the run that goes on; an older checkpoint does not say how many it had.
    """
    if "pictures" in checkpoint:
        return checkpoint["pictures"]
    batches = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["processed"]
    return batches * checkpoint["experiment"]["data"]["batch_size"] * processes


def _grouping(optim: Any) -> tuple:
    """Return what determines the optimizer and its groups of parameters, of an experiment of any version."""
    decays = bool(optim["weight_decay"]) and not optim.get("decay_all", True)
    return optim.get("optimizer", "adam"), decays, optim.get("layer_decay", 1.0) != 1, has_own_body_rate(optim)
