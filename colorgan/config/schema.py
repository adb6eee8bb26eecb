"""The keys of an experiment, their types and their defaults."""

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass
class Data:
    """What the data module needs; the keys of the named dataset stand beside these."""

    name: str = "photos"
    root: str | None = None  # folder of the photographs, or where a public set is kept
    size: int = 64  # pixels of the square that the net sees
    batch_size: int = 16  # pictures a batch and process
    workers: int = 2  # decoding processes
    cache: Literal["none", "ram"] = "ram"  # ram: each picture is decoded once
    flip: bool = True  # mirror half of the training pictures
    smallest_crop: float = 0.6  # smallest share of the area that a random crop keeps; 1: no crop
    aging: float = 0.0  # share of the training pictures that look like old prints, and keep their color
    near_gray: float = 3.5  # training pictures with a lower color spread (see data.augment) are left out; 0: none


@dataclass
class Trainer:
    """The part of Lightning's Trainer that an experiment may set."""

    accelerator: str = "auto"
    devices: Any = "auto"
    num_nodes: int = 1
    strategy: str = "auto"
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"  # auto: bf16 where the hardware is fast at it
    max_epochs: int = 20
    max_time: str | None = None  # DD:HH:MM:SS
    limit_train_batches: int | float = 1.0
    limit_val_batches: int | float = 1.0


@dataclass
class Optim:
    """The optimizer and the schedule of its learning rate."""

    optimizer: Literal["adam", "sgd", "adadelta", "muon"] = "adam"
    lr: float = 2e-4
    betas: tuple[float, float] = (0.9, 0.999)  # of Adam, and of what is no matrix under Muon
    momentum: float = 0.9  # of SGD and Muon
    weight_decay: float = 0.0
    clip: float | None = None  # largest norm of the gradient of one network
    schedule: Literal["constant", "step", "exponential", "linear", "cosine", "plateau"] = "constant"
    factor: float = 0.1  # exponential: the fall over `every`; step, plateau: the fall at each drop
    every: int = 500_000  # exponential: batches in which the rate falls by `factor`; step: batches between drops
    fall: float = 0.4  # linear: the share of the run, at its end, in which the rate falls to 0
    patience: int = 3  # plateau: epochs without a better checkpoint.monitor before a drop


@dataclass
class Checkpoint:
    """Which epochs stay on disk."""

    keep: int = 3  # the last so many epochs
    keep_every: int = 0  # and each so-manyth for good; 0: none
    monitor: str = "val/ab_error"  # best.ckpt is the epoch with the best of this metric


@dataclass
class Wandb:
    """Weights & Biases; auto is online where an API key is known, else offline."""

    project: str = "colorgan"
    mode: Literal["auto", "online", "offline", "disabled"] = "auto"
    tags: list[str] = field(default_factory=list)


@dataclass
class Experiment:
    """One run. `net`, `codec`, `system`, `discriminator` and `data` are `{name: ..., **arguments}`."""

    name: str = ""  # default: the file's name
    seed: int = 0
    run_dir: str = ""  # default: checkpoints/<name>
    pretrained: bool = True  # bodies start from published weights, where the net has one
    paper: str = ""
    deviations: list[str] = field(default_factory=list)
    net: Any = "unet"
    codec: Any = "regress"
    system: Any = "adversarial"
    discriminator: Any = "patchgan"
    data: Any = "photos"
    trainer: Trainer = field(default_factory=Trainer)
    optim: Optim = field(default_factory=Optim)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    wandb: Wandb = field(default_factory=Wandb)
