"""`run.json`: what each session of a run ran on, and with; a session is one start of a training.

The command that trains starts one, and another one each time that a collapsed run goes back to a healthy epoch.
"""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from colorgan import config
from colorgan.atomic import write_atomically
from colorgan.facts import describe_hardware, describe_software, differences
from colorgan.training.writing import warn_if_full

NAME = "run.json"
COMPARED = ("commit", "changes", "versions", "hardware", "data", "experiment")


class RecordSession(Callback):
    """Adds this session to `run.json`, and prints a line for each thing that differs from the session it goes on from.

    Args:
        run_dir: the run directory.
        checkpoint: where the session starts; None for a new run.
        overrides: the `key=value` items of the command line.
    """

    def __init__(self, run_dir: Path, checkpoint: Path | None, overrides: Sequence[str]):
        self.run_dir = run_dir
        self.checkpoint = checkpoint
        self.overrides = list(overrides)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        session = {
            "checkpoint": None if self.checkpoint is None else str(self.checkpoint),
            "overrides": self.overrides,
            **_describe(trainer, pl_module),
        }
        path = self.run_dir / NAME
        sessions = read_sessions(path)
        if sessions is None:
            _set_aside(path)
            sessions = []
        earlier = sessions
        if self.checkpoint and self.checkpoint.resolve().parent != self.run_dir.resolve():
            earlier = read_sessions(self.checkpoint.parent / NAME)  # of the run that this one branches from
        session["differences"] = _compare(earlier[-1], session) if earlier else []
        with warn_if_full(path):
            write_atomically(path, json.dumps({"sessions": [*sessions, session]}, indent=1) + "\n")
        if self.checkpoint and not earlier:
            print(f"{path}: nothing is known of the sessions before this one", flush=True)
        for line in session["differences"] if self.checkpoint else []:
            print(f"since the last session: {line}", flush=True)


def _describe(trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
    data, device = trainer.datamodule, trainer.strategy.root_device.type
    counts = {"train": len(data.source(train=True)), "val": len(data.source(train=False))}
    return {
        **describe_software(),
        "hardware": {
            **describe_hardware(device),
            "processes": trainer.world_size,
            "nodes": trainer.num_nodes,
            "precision": str(trainer.precision),
        },
        "data": {"digest": data.digest, **counts},
        "experiment": config.plain(pl_module.experiment),
    }


def _compare(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return a line for each difference of what two sessions ran on and with."""
    parts = [{key: session[key] for key in COMPARED if key in session} for session in (old, new)]
    return [f"{key} was {json.dumps(before)} and is {json.dumps(now)}" for key, before, now in differences(*parts)]


def read_sessions(path: Path) -> list[dict[str, Any]] | None:
    """Return the sessions of a `run.json`, oldest first; None if the file does not hold any."""
    try:
        sessions = json.loads(path.read_text(encoding="utf-8"))["sessions"]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError):
        return None
    good = isinstance(sessions, list) and all(isinstance(session, dict) for session in sessions)
    return sessions if good else None


def _set_aside(path: Path) -> None:
    aside = path.with_name(time.strftime("run-damaged-%Y%m%d-%H%M%S.json"))
    os.replace(path, aside)
    print(f"{path}: cannot be read as the record of a run; it is now {aside.name}", flush=True)
