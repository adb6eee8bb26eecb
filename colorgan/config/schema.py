"""The keys of an experiment, their types and their defaults."""

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass
class Data:
    """Settings of the data module; the node also contains the keys of the named dataset."""

    name: str = "photos"  # of the dataset
    root: str | None = None  # folder of the photographs, or of a public dataset
    size: int = 64  # side of the square inputs of the net, in pixels
    batch_size: int | str = 16  # images per batch and process; auto: the largest power of two that fits in memory
    workers: int = 2  # number of worker processes that decode images
    cache: Literal["none", "ram", "disk"] = "ram"  # each image is decoded once a process (ram), or once for all (disk)
    cache_dir: str | None = None  # folder of the files of cache=disk; null: colorgan in the user's cache folder
    flip: bool = True  # mirror half of the training images
    smallest_crop: float = 0.6  # smallest area of random crops, as a share of the image; 1: no crops
    aging: float = 0.0  # share of training images whose lightness, not color, is made to look like old prints
    near_gray: float = 3.5  # training images with a lower color spread (see data.augment) are left out; 0: none


@dataclass
class Trainer:
    """Arguments of Lightning's Trainer that an experiment may set."""

    accelerator: str = "auto"  # cpu, gpu or mps
    devices: Any = "auto"  # how many, or a list of which
    num_nodes: int = 1  # machines
    strategy: str = "auto"  # how several devices share the work
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"  # auto: bf16-mixed on hardware that is fast at it
    max_epochs: int = 20  # the run ends after these
    max_time: str | None = None  # DD:HH:MM:SS, after which it ends; null: no limit
    limit_train_batches: int | float = 1.0  # batches of an epoch (int), or their share (float)
    limit_val_batches: int | float = 1.0  # the same, of a validation
    check_val_every_n_epoch: int = 1  # epochs between two validations
    log_every_n_steps: int = 50  # batches between two logged steps
    compile: str | None = None  # backend of torch.compile for the networks, such as inductor; null: not compiled
    benchmark: bool | None = None  # let cuDNN choose algorithms by trying them; null: as Lightning decides
    deterministic: bool = False  # the same sums on every run of a machine; slower on CUDA
    detect_anomaly: bool = False  # stop at the operation whose gradient is NaN; slow
    profiler: Literal["simple", "advanced", "pytorch"] | None = None  # Lightning's; prints where the time goes
    compare_ranks: int = 0  # batches between two checks that all processes hold the same weights; 0: none


@dataclass
class Optim:
    """Optimizer and learning-rate schedule."""

    optimizer: Literal["adam", "adamw", "sgd", "adadelta", "muon"] = "adam"  # muon: Adam for what is no matrix
    lr: float = 2e-4  # learning rate
    betas: tuple[float, float] = (0.9, 0.999)  # of Adam, which Muon uses for parameters other than matrices
    momentum: float = 0.9  # of SGD and Muon
    weight_decay: float = 0.0  # an L2 penalty; decoupled in adamw, and for the matrices of muon
    decay_all: bool = True  # false: no weight decay of biases and of the weights of normalization layers
    layer_decay: float = 1.0  # rate of each layer of a classifier as a multiple of that of the next one
    encoder_lr: float = 1.0  # rate of the body of a net as a multiple of `lr`
    encoder_warmup: int = 0  # batches before the body of a net starts to learn; not for plateau
    accumulate: int = 1  # parts of a batch that are computed one after the other, which needs less memory
    clip: float | None = None  # maximum gradient norm of each network; null: no clipping
    schedule: Literal["constant", "step", "exponential", "linear", "cosine", "plateau"] = "constant"
    warmup: int = 0  # batches over which the rate rises from 0; not for plateau
    factor: float = 0.1  # multiplies the rate: every `every` batches (exponential, step), or at a plateau
    every: int = 500_000  # number of batches for one `factor`: gradually (exponential) or at once (step)
    fall: float = 0.4  # linear: share of the run, at its end, over which the rate falls to 0
    patience: int = 3  # plateau: epochs without a better checkpoint.monitor before the rate falls


@dataclass
class Checkpoint:
    """Which checkpoints are kept, and which epoch is the best."""

    keep: int = 3  # number of latest epochs to keep
    keep_every: int = 0  # keep every n-th epoch, too; 0: none
    every_minutes: float = 10.0  # minutes between two checkpoints in the middle of an epoch; 0: none
    every_batches: int = 0  # batches of an epoch between two of them; 0: none
    monitor: str | None = None  # metric whose best epoch is saved as best.ckpt; null: the system's (docs/recipe.md)


@dataclass
class Guard:
    """What is done where a training collapses; see docs/reliability.md."""

    enabled: bool | None = None  # go back to a healthy epoch; null: where there is a discriminator
    factor: float = 0.1  # multiplies the learning rates whenever a run goes back
    patience: int = 3  # validated epochs in a row that look collapsed before the run goes back
    max_skipped: int = 20  # batches in a row that are left out, as their gradients are not finite, before it does
    max_rollbacks: int = 3  # it goes back this often, and stops at the next collapse
    rollbacks: int = 0  # so far; counted by the guard


@dataclass
class Wandb:
    """Weights & Biases logging; mode `auto` is online if an API key is known, else offline."""

    project: str = "colorgan"
    mode: Literal["auto", "online", "offline", "disabled"] = "auto"
    tags: list[str] = field(default_factory=list)
    group: str | None = None  # of runs; `compare` gives the runs of an experiment one
    job_type: str | None = None  # within the group; `compare` names the seed
    log_model: Literal["best", "all", "none"] = "none"  # checkpoints to upload: best and last, or that of each epoch


@dataclass
class Experiment:
    """Keys of an experiment. `net`, `codec`, `system`, `discriminator` and `data` are `{name: ..., **arguments}`."""

    name: str = ""  # by default the file's name
    seed: int = 0  # of weights, data order, augmentation and dropout
    run_dir: str = ""  # by default checkpoints/<name>
    pretrained: bool = True  # start bodies of networks from their published weights
    paper: str = ""  # what the experiment reproduces
    deviations: list[str] = field(default_factory=list)  # from that paper, and why
    net: Any = "unet"  # what maps lightness to an output
    codec: Any = "regress"  # what the output means, and the color loss
    system: Any = "adversarial"  # how it is trained
    discriminator: Any = "patchgan"  # of system=adversarial
    data: Any = "photos"  # what it is trained on
    trainer: Trainer = field(default_factory=Trainer)
    optim: Optim = field(default_factory=Optim)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    guard: Guard = field(default_factory=Guard)
    logger: Literal["wandb", "tensorboard", "none"] = "wandb"  # tensorboard: the extra colorgan[tensorboard]
    wandb: Wandb = field(default_factory=Wandb)
