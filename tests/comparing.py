"""What the tests of `colorgan.compare` share: trainings so small, and in this process, that they take a second."""

from types import SimpleNamespace

from colorgan import train
from colorgan.comparison import runs as comparison
from colorgan.training import trainer
from tests.conftest import TINY

GAN, UNET = "experiments/gan.yaml", "experiments/unet-regression.yaml"
BUDGET = ("trainer.max_epochs", "trainer.limit_train_batches")
SMALL = [
    "data=photos",
    "data.root=null",
    *(item for item in TINY if not item.startswith(BUDGET)),
]  # batches of four pictures


class Trainings:
    """Stands for `subprocess` in `colorgan.comparison`; remembers the arguments of all trainings."""

    DEVNULL = -3

    def __init__(self, monkeypatch):
        self.calls = []
        self.failing = ()  # names of experiments' files whose training fails
        monkeypatch.setattr(comparison, "subprocess", self)
        monkeypatch.setattr(trainer, "draw_curves", lambda rows, path: None)  # a second for each run

    def run(self, command, check, stdout):
        arguments = command[3:]
        self.calls.append(arguments)
        failed = any(name in arguments[0] for name in self.failing)
        return SimpleNamespace(returncode=1 if failed else train.main(arguments))
