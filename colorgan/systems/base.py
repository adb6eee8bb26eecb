"""What every colorizer shares: its averaged net, its optimizers, its validation, its checkpoint, and how it colors."""

from collections import defaultdict
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torchmetrics.functional.image import peak_signal_noise_ratio

from colorgan import config, images
from colorgan.color import join, split
from colorgan.errors import UserError
from colorgan.metrics import ab_error, colorfulness
from colorgan.seeding import seed_of
from colorgan.systems.schedules import make_schedule, restart

LONGEST = 16  # a picture is predicted at no more than so many times the short side, however long it is


class Colorizer(pl.LightningModule):
    """A net and a codec that learn to color; `ema` is the averaged net that validates and colors.

    Optimization is manual, so that every system steps, clips, logs and resumes in one way.
    """

    def __init__(self, net: nn.Module, codec: nn.Module, experiment: DictConfig, ema: float):
        super().__init__()
        self.automatic_optimization = False
        self.net = net
        self.codec = codec
        self.experiment = experiment
        self.batches = 0  # done in this epoch
        self.ema = AveragedModel(net, multi_avg_fn=_exponential_average(ema), use_buffers=True).requires_grad_(False)

    def forward(self, L: Tensor) -> Tensor:
        """L (B, 1, H, W) in [0, 100] -> ab (B, 2, H, W) in Lab units, by the averaged net."""
        ab = self.codec.decode(self.ema(L), L)
        return ab if ab.shape[-2:] == L.shape[-2:] else F.interpolate(ab, L.shape[-2:], mode="bilinear")

    def paint(self, pictures: list[Tensor], size: int | None = None) -> list[Tensor]:
        """Colors pictures of any sizes; each keeps its own lightness at its own size.

        Args:
            pictures: (3, H, W) each, sRGB in [0, 1]; only their lightness is used.
            size: short side in pixels at which color is predicted; default: the size the model was trained at.

        Returns:
            (3, H, W) each, sRGB in [0, 1], on the CPU.
        """
        size = size or self.experiment.data.size
        lightness = [split(picture[None].to(self.device))[0] for picture in pictures]
        groups = defaultdict(list)  # pictures of one shape at the model's size are one batch
        for i, L in enumerate(lightness):
            groups[_shrunk(L.shape[-2:], size)].append(i)
        painted: dict[int, Tensor] = {}
        with torch.inference_mode():
            for shape, members in groups.items():
                small = [F.interpolate(lightness[i], shape, mode="bilinear", antialias=True) for i in members]
                for i, ab in zip(members, self(torch.cat(small)), strict=True):
                    full = F.interpolate(ab[None], lightness[i].shape[-2:], mode="bilinear", antialias=True)
                    painted[i] = join(lightness[i], full)[0].cpu()
        return [painted[i] for i in range(len(pictures))]

    def colorize(self, image: Any, size: int | None = None) -> Any:
        """Colors one picture, or a batch of tensors; what goes in comes out.

        Args:
            image: a PIL image, an array (H, W[, 1|3|4]) or a tensor ([B,] 1|3, H, W), 8-bit, 16-bit or in [0, 1].
            size: as in `paint`.

        Returns:
            the same type and value range with three color channels, and its alpha if it had one.

        Raises:
            UserError: another type or shape.
        """
        pictures, restore = images.unpack(image)
        return restore(self.paint(pictures, size))

    def parts(self) -> dict[str, tuple[nn.Module, float]]:
        """The networks that are trained, each with its optimizer, and the ratio of its learning rate to `optim.lr`."""
        return {"generator": (self.net, 1.0)}

    def configure_optimizers(self) -> tuple[list, list]:
        """One Adam and one schedule for each of `parts`."""
        optim = self.experiment.optim
        betas, decay = tuple(optim.betas), optim.weight_decay
        try:
            optimizers = [
                torch.optim.Adam(part.parameters(), optim.lr * ratio, betas, weight_decay=decay)
                for part, ratio in self.parts().values()
            ]
        except ValueError as error:
            raise UserError(f"optim: {error}") from None
        return optimizers, [make_schedule(optimizer, optim, self.progress) for optimizer in optimizers]

    def progress(self) -> float:
        """The share of the run that is done, by epochs or by `trainer.max_time`, whichever ends it sooner."""
        trainer = self._trainer
        if trainer is None or not trainer.training:
            return 0.0
        epochs = trainer.current_epoch + self.batches / trainer.num_training_batches
        timer = next((c for c in trainer.callbacks if isinstance(c, pl.callbacks.Timer)), None)
        time = timer.time_elapsed() / (timer.time_elapsed() + timer.time_remaining()) if timer else 0.0
        return min(1.0, max(epochs / trainer.max_epochs, time))

    def descend(self, name: str, loss: Tensor) -> None:
        """One step of the network `name` down `loss`; logs its gradient's norm and its learning rate."""
        index = list(self.parts()).index(name)
        part, _ = self.parts()[name]
        optimizers = self.optimizers()
        optimizer = optimizers[index] if isinstance(optimizers, list) else optimizers
        optimizer.zero_grad()
        self.manual_backward(loss)
        norm = nn.utils.clip_grad_norm_(part.parameters(), self.experiment.optim.clip or float("inf"))
        optimizer.step()
        self.log_train({f"{name}_gradient_norm": norm, f"{name}_lr": optimizer.param_groups[0]["lr"]})

    def log_train(self, values: dict[str, Any]) -> None:
        """Logs `train/*`, by step and as the mean of the epoch."""
        self.log_dict({f"train/{key}": value for key, value in values.items()}, on_step=True, on_epoch=True)

    def schedules(self) -> list:
        """The schedule of each of `parts`."""
        schedules = self.lr_schedulers()
        return schedules if isinstance(schedules, list) else [schedules]

    def restart_learning_rates(self) -> None:
        """Lets the experiment's rates win over restored ones."""
        for schedule, (_, ratio) in zip(self.schedules(), self.parts().values(), strict=True):
            restart(schedule, self.experiment.optim.lr * ratio)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seeds dropout, so that a resumed run draws what the unbroken one would have."""
        torch.manual_seed(seed_of(self.experiment.seed, self.current_epoch, batch_idx, self.global_rank))

    def on_train_start(self) -> None:
        """The experiment's betas and weight decay win over those that a checkpoint restored."""
        optimizers = self.optimizers()
        for optimizer in optimizers if isinstance(optimizers, list) else [optimizers]:
            for group in optimizer.param_groups:
                group["betas"] = tuple(self.experiment.optim.betas)
                group["weight_decay"] = self.experiment.optim.weight_decay

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.batches = batch_idx + 1
        self.ema.update_parameters(self.net)
        if self.experiment.optim.schedule != "plateau":
            for schedule in self.schedules():
                schedule.step()

    def on_train_epoch_end(self) -> None:
        if self.experiment.optim.schedule == "plateau":
            for schedule in self.schedules():
                schedule.step(self.trainer.callback_metrics["val/ab_error"])

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Logs the errors of the averaged net, with those of plain gray and the truth's colorfulness to compare."""
        rgb = batch["rgb"]
        L, truth = split(rgb)
        ab = self(L)
        gray = torch.zeros_like(truth)
        painted = join(L, ab)
        values = {
            "ab_error": ab_error(ab, truth),
            "psnr": _psnr(painted, rgb),
            "colorfulness": colorfulness(painted),
            "gray_ab_error": ab_error(gray, truth),
            "gray_psnr": _psnr(join(L, gray), rgb),
            "true_colorfulness": colorfulness(rgb),
        }
        means = {f"val/{key}": value.mean() for key, value in values.items()}
        self.log_dict(means, batch_size=len(rgb), sync_dist=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["experiment"] = config.plain(self.experiment)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A schedule of another kind starts afresh: it cannot continue the stored one."""
        if checkpoint["experiment"]["optim"]["schedule"] != self.experiment.optim.schedule:
            checkpoint["lr_schedulers"] = []


def _exponential_average(decay: float) -> Any:
    """Averages with `decay`, at most (1 + n) / (10 + n) after n steps, so that short runs keep up."""

    @torch.no_grad()
    def update(averages: list[Tensor], values: list[Tensor], steps: Tensor) -> None:
        if averages[0].is_floating_point():
            n = float(steps)
            torch._foreach_lerp_(averages, values, 1 - min(decay, (1 + n) / (10 + n)))
        else:  # counters
            torch._foreach_copy_(averages, values)

    return update


def _psnr(rgb: Tensor, truth: Tensor) -> Tensor:
    """(B, 3, H, W) each in [0, 1] -> (B,) in decibels; 100 where the two agree to 8 bits everywhere."""
    return peak_signal_noise_ratio(rgb, truth, data_range=1.0, dim=(1, 2, 3), reduction="none").clamp(max=100)


def _shrunk(shape: torch.Size, size: int) -> tuple[int, int]:
    """The shape whose short side is `size`."""
    scale = min(size / min(shape), LONGEST * size / max(shape))
    height, width = (max(1, round(n * scale)) for n in shape)
    return height, width
