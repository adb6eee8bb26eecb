"""The logger of a run, whose x axis is the number of pictures that the training has seen.

Lightning's own axis is a count of batches or of optimizer steps, of which a GAN takes two a batch: runs with other
networks, batch sizes or numbers of processes do not line up over it.
"""

import json
import os
import uuid
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import wandb
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger
from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from colorgan import config
from colorgan.artifacts import CHECKPOINT, artifact_name
from colorgan.atomic import unfinished
from colorgan.errors import UserError
from colorgan.systems.base import System
from colorgan.training.run_directory import Place
from colorgan.training.writing import warn_if_full

PICTURES = "pictures"  # the x axis: training pictures of all processes since the beginning of the run
PROGRESS = "logged.json"  # beside the files of W&B: what a killed process had logged


class PictureWandbLogger(WandbLogger):
    """Lightning's logger of W&B over pictures, with the best value of each metric in the summary.

    A run that was killed trains from its latest checkpoint again, to the same values. What W&B already has of it is
    not logged twice.

    Args:
        system: counts the pictures, and knows which values of metrics are best.
        uploaded: which checkpoints become artifacts: "best" (and the last one, when the run ends), that of each epoch
            ("all"), or "none".
        options: arguments of `WandbLogger` and `wandb.init`.
    """

    def __init__(self, system: System, uploaded: str, **options: Any):
        super().__init__(**options)
        self.uploaded = uploaded
        del self._wandb_init["anonymous"]  # W&B warns of it, whatever its value
        self.system = system
        self._path = Path(self.save_dir) / "wandb" / PROGRESS
        # After a rollback the pictures are seen again with other values, which are logged.
        self._session = {"run": self.version, "rollbacks": system.experiment.guard.rollbacks}
        self._logged, self._keys = _read_progress(self._path, self._session)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The run of W&B, which is started when it is first asked for; a spawned process attaches to it."""
        if self._experiment is None and getattr(self, "_attach_id", None) is None:
            self._experiment = wandb.init(**self._wandb_init)
            self._experiment.define_metric(PICTURES)
            self._experiment.define_metric("*", step_metric=PICTURES)
            for metric, mode in self.system.monitor_modes.items():
                self._experiment.define_metric(metric, step_metric=PICTURES, summary=mode)
        return super().experiment

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log values, numbers or media, at the pictures seen until now; `step` is Lightning's, and not used."""
        pictures = self.system.pictures
        if pictures < self._logged or (pictures == self._logged and metrics.keys() - {"epoch"} <= self._keys):
            return
        self.experiment.log({**metrics, PICTURES: pictures})
        self._keys = metrics.keys() | (self._keys if pictures == self._logged else set())
        self._logged = pictures
        with warn_if_full(self._path):
            self._path.parent.mkdir(exist_ok=True)
            stored = {**self._session, PICTURES: pictures, "keys": sorted(self._keys)}
            beside = unfinished(self._path)  # not synced, which may take as long as a step: a kill leaves it whole
            beside.write_text(json.dumps(stored) + "\n", encoding="utf-8")
            beside.replace(self._path)

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """With `wandb.log_model=all`, upload the checkpoint of the epoch that has just ended."""
        if self.uploaded == "all":
            epoch = self.system.current_epoch
            best = ["best"] if checkpoint_callback.best_epoch == epoch else []
            self._upload(Path(self.save_dir) / Place(epoch).file_name, [*best, "last"])

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """With `wandb.log_model=best`, upload the best and the last checkpoint of a run that has reached its end."""
        if self.uploaded != "best" or status != "success":
            return
        best, last = (Path(self.save_dir) / f"{name}.ckpt" for name in ("best", "last"))
        if best.exists() and best.samefile(last):
            self._upload(last, ["best", "last"])
        else:
            self._upload(best, ["best"])
            self._upload(last, ["last"])

    @rank_zero_only
    def _upload(self, path: Path, aliases: list[str]) -> None:
        artifact = wandb.Artifact(artifact_name(self.version), "model", metadata={PICTURES: self.system.pictures})
        with warn_if_full(path):
            artifact.add_file(str(path.resolve()), name=CHECKPOINT)  # a copy, for a rolling checkpoint is deleted
            self.experiment.log_artifact(artifact, aliases=aliases)

    @rank_zero_only
    def alert(self, title: str, text: str) -> None:
        """Send a message to whoever follows the run."""
        self.experiment.alert(title=title, text=text, level=wandb.AlertLevel.WARN)


class PictureTensorBoardLogger(TensorBoardLogger):
    """Lightning's logger of TensorBoard over pictures, in `tensorboard/` of the run directory.

    Args:
        system: counts the pictures.
        run_dir: the run directory.
    """

    def __init__(self, system: System, run_dir: str):
        super().__init__(run_dir, name="tensorboard", version="", default_hp_metric=False)
        self.system = system
        self._has_begun = False

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log numbers at the pictures seen until now; `step` is Lightning's, and not used."""
        if not self._has_begun:
            self._begin()
        super().log_metrics(metrics, self.system.pictures)

    @rank_zero_only
    def log_image(self, key: str, picture: Tensor) -> None:
        """Log a picture (3, H, W) in [0, 1] at the pictures seen until now."""
        if not self._has_begun:
            self._begin()
        self.experiment.add_image(key, picture, self.system.pictures)

    def _begin(self) -> None:
        """Let TensorBoard hide what an earlier session logged from here on: this one goes on from a checkpoint before.

        SummaryWriter has `purge_step` for it, but Lightning makes the writer before it reads the checkpoint.
        """
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        start = SessionLog(status=SessionLog.START)
        self.experiment.file_writer.add_event(Event(step=self.system.pictures, session_log=start))
        self._has_begun = True


def make_logger(experiment: DictConfig, system: System, run_id: str | None) -> Logger | None:
    """Make the logger of a run.

    Args:
        experiment: resolved experiment. With `wandb.mode=auto` the run is online if an API key is known, else offline.
        system: what is trained.
        run_id: id of the W&B run to continue; None for a new one.

    Returns:
        the logger; None if nothing is logged.

    Raises:
        UserError: TensorBoard is not installed.
    """
    if experiment.logger == "tensorboard":
        if not find_spec("tensorboard"):
            raise UserError("logger=tensorboard: not installed: pip install 'colorgan[tensorboard]'")
        return PictureTensorBoardLogger(system, experiment.run_dir)
    mode = experiment.wandb.mode
    if experiment.logger == "none" or mode == "disabled":
        return None
    if mode == "auto":
        mode = "online" if wandb.login(prompt=False, verify=False) else "offline"
    Path(experiment.run_dir).mkdir(parents=True, exist_ok=True)
    return PictureWandbLogger(
        system,
        experiment.wandb.log_model,
        name=experiment.name,
        project=experiment.wandb.project,
        save_dir=experiment.run_dir,
        id=run_id or os.environ.get(wandb.env.RUN_ID) or uuid.uuid4().hex[:8],  # set by the agent of a sweep
        resume="allow",
        offline=mode == "offline",
        mode=mode,
        tags=list(experiment.wandb.tags),
        group=experiment.wandb.group,
        job_type=experiment.wandb.job_type,
        config=config.plain(experiment),
        settings=wandb.Settings(silent=mode == "offline"),
    )


def _read_progress(path: Path, session: dict[str, Any]) -> tuple[int, set[str]]:
    """Return the pictures at which this run was logged last since its last rollback, and what was; -1 for never."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if session.items() <= stored.items():
            return int(stored[PICTURES]), set(stored["keys"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # none, or a damaged one: logged again
        pass
    return -1, set()
