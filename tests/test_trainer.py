"""The settings of Lightning's Trainer that an experiment may set."""

import csv

import pytest
import pytorch_lightning as pl
import torch

from colorgan import config
from colorgan.systems import TABLES
from colorgan.systems.building import build
from colorgan.training import trainer
from tests.conftest import TINY


def rows(run):
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_epochs_without_validation_have_no_validation_metrics(tiny_train, tmp_path, capsys):
    assert tiny_train("trainer.max_epochs=3", "trainer.check_val_every_n_epoch=2", "optim.schedule=plateau") == 0
    assert [bool(row["val/ab_error"]) for row in rows(tmp_path / "run")] == [False, True, False]
    assert all(float(row["train/generator_loss"]) > 0 for row in rows(tmp_path / "run"))
    assert (tmp_path / "run/best.ckpt").exists() and (tmp_path / "run/epoch=002.ckpt").exists()
    assert "epoch 2: " in capsys.readouterr().out


@pytest.mark.parametrize("every", ["0", "2"])
def test_a_run_without_a_validation_is_refused(tiny_train, capsys, every):
    assert tiny_train(f"trainer.check_val_every_n_epoch={every}") == 2
    assert f"trainer.check_val_every_n_epoch={every}: best.ckpt needs a validation" in capsys.readouterr().err


def test_steps_are_logged_at_their_interval_and_means_at_the_end(tiny_train, tmp_path, monkeypatch):
    logged = []

    class Logger(pl.loggers.CSVLogger):
        def log_metrics(self, metrics, step=None):
            logged.append((step, set(metrics)))

    monkeypatch.setattr(trainer, "make_logger", lambda *arguments: Logger(tmp_path))
    assert tiny_train("trainer.limit_train_batches=5", "trainer.log_every_n_steps=2") == 0
    assert [step for step, keys in logged if "train/generator_loss_step" in keys] == [1, 3]
    assert [step for step, keys in logged if "train/generator_loss" in keys] == [4]


@pytest.mark.parametrize("kind", ["adversarial", "supervised"])
def test_compiled_networks_take_the_same_steps(tiny_train, tmp_path, kind):
    for name, backend in (("run", "null"), ("compiled", "aot_eager")):
        assert tiny_train(f"system={kind}", f"trainer.compile={backend}", f"run_dir={tmp_path / name}") == 0
    plain, compiled = (float(rows(tmp_path / name)[0]["train/color_loss"]) for name in ("run", "compiled"))
    assert compiled == pytest.approx(plain, rel=1e-4)
    keys = [set(torch.load(tmp_path / name / "last.ckpt")["state_dict"]) for name in ("run", "compiled")]
    assert keys[0] == keys[1]


def test_an_unknown_compiler_is_one_line(tiny_train, capsys):
    assert tiny_train("trainer.compile=inducter") == 2
    assert capsys.readouterr().err.startswith("error: trainer.compile=inducter: torch has ")


@pytest.mark.parametrize(
    "setting, is_set",
    [
        ("deterministic=true", lambda made: torch.are_deterministic_algorithms_enabled()),
        ("benchmark=true", lambda made: torch.backends.cudnn.benchmark),
        ("detect_anomaly=true", lambda made: made._detect_anomaly),
        ("profiler=simple", lambda made: isinstance(made.profiler, pl.profilers.SimpleProfiler)),
    ],
)
def test_a_key_reaches_lightning(tmp_path, setting, is_set):
    experiment = config.load("experiments/gan.yaml", [*TINY, f"trainer.{setting}", f"run_dir={tmp_path}"], TABLES)
    try:
        assert is_set(trainer.make_trainer(experiment, build(experiment, fresh=True), None))
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = False
