"""The guard: a collapsed run goes back to a healthy epoch."""

import csv
import math

import pytest
import torch

from colorgan.colorizer import checkpoint
from colorgan.data.module import PhotographDataModule
from colorgan.errors import UserError
from colorgan.optim.schedules import make_schedule
from colorgan.training import curves, guard, rollback
from colorgan.training.health import ERROR, GRAY_ERROR, SPREADS
from tests.conftest import TINY
from tests.interrupting import Died
from tests.stepping import make_system
from tests.test_ddp import start_pair

LONGER = ("trainer.max_epochs=4", "data.crops=16", "trainer.limit_train_batches=4")


def ruin(system):
    for parameter in system.model.net.parameters():
        parameter.data.fill_(math.nan)


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def state_of(run):
    content = checkpoint.read(run / "last.ckpt")
    return [content[key] for key in ("state_dict", "optimizer_states", "lr_schedulers", "experiment")]


def test_a_collapsed_run_goes_back_with_lower_rates_and_another_order(tiny_train, tmp_path, at, capsys, monkeypatch):
    run, first, orders, augment = tmp_path / "run", [], [], PhotographDataModule.augment

    def remember(self, pictures, generator):
        orders.append((self.trainer.current_epoch, pictures["index"].tolist()))
        return augment(self, pictures, generator)

    monkeypatch.setattr(PhotographDataModule, "augment", remember)
    at(3, 1, ruin, when=lambda system: system.experiment.seed == 0)
    at(2, 0, lambda system: first.append(copies(system)))
    assert tiny_train(*LONGER) == 0
    line = capsys.readouterr().err
    assert "epoch 3: collapsed: " in line and "Rollback 1 of 3: back to epoch=001.ckpt with optim.lr=2e-05" in line
    (backup,) = run.glob("aside-*")
    assert [int(row["epoch"]) for row in rows_of(backup / "metrics.csv")] == [0, 1, 2, 3]
    assert (backup / "epoch=002.ckpt").exists() and (backup / "samples/epoch=003.png").exists()
    rows = rows_of(run / "metrics.csv")
    assert [float(row["guard/rollbacks"]) for row in rows] == [0, 0, 1, 1]
    rates = [row[f"train/{name}_lr"] for row in rows for name in ("generator", "discriminator")]
    assert [float(rate) for rate in rates] == pytest.approx([2e-4] * 4 + [2e-5] * 4)
    content = checkpoint.read(run / "last.ckpt")
    assert content["experiment"]["optim"]["lr"] == pytest.approx(2e-5)
    assert content["experiment"]["seed"] == rollback.SEED_STEP
    assert content["experiment"]["guard"]["rollbacks"] == 1
    assert len(first) == 2 and all(torch.equal(value, first[1][key]) for key, value in first[0].items())
    before, after = [[x for epoch, x in part if epoch == 2] for part in (orders[:16], orders[16:])]
    assert len(before) == len(after) == 4 and before != after


def copies(system):
    return {key: value.clone() for key, value in system.state_dict().items()}


def test_a_run_that_is_killed_after_a_rollback_ends_the_same(tiny_train, tmp_path, at):
    at(3, 1, ruin, when=lambda system: system.experiment.seed == 0)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    more = (*LONGER, "checkpoint.every_batches=2")
    assert tiny_train(*more, f"run_dir={whole}") == 0
    deaths = []
    for place in ((2, 0), (3, 3)):  # before anything new is saved, and in the middle of a later epoch

        def die_once(system, place=place):
            if place not in deaths:
                deaths.append(place)
                raise Died

        at(*place, die_once, when=lambda system: system.experiment.seed != 0)
    for _ in range(2):
        with pytest.raises(Died):
            tiny_train(*more, f"run_dir={broken}", "--resume")
    assert tiny_train(*more, f"run_dir={broken}", "--resume") == 0
    assert len(deaths) == 2
    for one, other in zip(state_of(whole)[:3], state_of(broken)[:3], strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    one, other = ([row["train/color_loss"] for row in rows_of(run / "metrics.csv")] for run in (whole, broken))
    assert one == other


def test_a_run_that_collapses_again_and_again_gives_up(tiny_train, tmp_path, at, capsys):
    at(3, 1, ruin)
    assert tiny_train(*LONGER, "guard.max_rollbacks=1") == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 2
    assert "after 1 rollbacks" in error[1] and "--resume guard.rollbacks=0" in error[1]
    run = tmp_path / "run"
    assert (run / "best.ckpt").exists() and len(list(run.glob("aside-*"))) == 2
    assert all(value.isfinite().all() for value in checkpoint.read(run / "last.ckpt")["state_dict"].values())


def test_a_rollback_that_cannot_be_written_is_one_line(tiny_train, tmp_path, at, capsys, monkeypatch):
    def full(*_):
        raise UserError("epoch=001.ckpt: not written: no space")

    monkeypatch.setattr(rollback, "_rewrite", full)
    at(3, 1, ruin)
    assert tiny_train(*LONGER) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "error: epoch=001.ckpt: not written: no space"
    assert (tmp_path / "run/epoch=002.ckpt").exists() and not list((tmp_path / "run").glob("aside-*"))


def test_a_single_picture_has_no_spread_and_is_no_collapse(tiny_train, tmp_path, monkeypatch):
    monkeypatch.setattr(guard, "NUM_PICTURES", 1)
    assert tiny_train() == 0
    (row,) = rows_of(tmp_path / "run/metrics.csv")
    assert "guard/spread_within" in row and "guard/spread_between" not in row


def test_a_run_that_was_never_healthy_starts_again(tiny_train, tmp_path, at, capsys):
    at(0, 1, ruin, when=lambda system: system.experiment.seed == 0)
    assert tiny_train("guard.max_rollbacks=0") == 2
    error = capsys.readouterr().err
    assert "No epoch was healthy" in error and "--resume" in error
    assert tiny_train("trainer.max_epochs=2", "--resume") == 0
    assert "back to its beginning with optim.lr=2e-05" in capsys.readouterr().err
    assert [float(row["guard/rollbacks"]) for row in rows_of(tmp_path / "run/metrics.csv")] == [1, 1]


def test_settings_of_a_resumed_run_outlast_a_rollback(tiny_train, tmp_path, at):
    at(3, 1, ruin, when=lambda system: system.experiment.seed == 0)
    assert tiny_train(*LONGER, "trainer.max_epochs=3") == 0
    settings = ("system.color_weight=7", "optim.weight_decay=0.1", "optim.decay_all=false")  # more groups than stored
    assert tiny_train(*LONGER, "--resume", *settings) == 0
    experiment = checkpoint.read(tmp_path / "run/last.ckpt")["experiment"]
    assert (experiment["system"]["color_weight"], experiment["guard"]["rollbacks"]) == (7, 1)
    rows = rows_of(tmp_path / "run/metrics.csv")
    assert [float(row["train/generator_lr"]) for row in rows] == pytest.approx([2e-4, 2e-4, 2e-5, 2e-5])


def test_a_bad_batch_is_left_out_of_the_epoch(tiny_train, tmp_path, monkeypatch):
    augment = PhotographDataModule.augment

    def spoil(self, pictures, generator):
        pictures = augment(self, pictures, generator)
        if self.trainer.fit_loop.epoch_loop.batch_progress.current.ready == 2:
            pictures["rgb"][0] = math.inf
        return pictures

    monkeypatch.setattr(PhotographDataModule, "augment", spoil)
    assert tiny_train(*LONGER) == 0
    rows = rows_of(tmp_path / "run/metrics.csv")
    assert [float(row["train/skipped_batches"]) for row in rows] == [1] * 4
    assert all(math.isfinite(float(value)) for row in rows for value in row.values())
    assert float(rows[0]["train/generator_lr"]) == pytest.approx(2e-4)  # a mean over the other three
    assert not list((tmp_path / "run").glob("aside-*"))


def test_bad_batches_in_a_row_are_a_collapse(tiny_train, at, capsys, monkeypatch):
    monkeypatch.setattr(guard, "AGREE_EVERY", 1)
    at(2, 0, ruin, when=lambda system: system.experiment.seed == 0)
    assert tiny_train(*LONGER, "guard.max_skipped=3") == 0
    assert "epoch 2: collapsed: 3 batches in a row have losses or gradients" in capsys.readouterr().err


def test_rolling_does_not_delete_what_a_guard_may_go_back_to(tiny_train, tmp_path, monkeypatch, capsys):
    def measure(trainer, system):  # gray from the third epoch on
        spread = 0.7 if trainer.current_epoch < 2 else 0.1
        return {ERROR: 12.0, GRAY_ERROR: 20.0, **dict.fromkeys(SPREADS, spread)}

    monkeypatch.setattr(guard, "measure", measure)
    more = (*LONGER, "trainer.max_epochs=5", "checkpoint.keep=1", "guard.max_rollbacks=0")
    assert tiny_train(*more) == 2
    error = capsys.readouterr().err
    assert "collapsed in epoch 4" in error
    assert "epoch=000.ckpt is where it was healthy: raise system.color_weight" in error
    assert (tmp_path / "run/epoch=000.ckpt").exists()


def test_a_run_without_a_guard_is_as_before(tiny_train, tmp_path, at, capsys):
    for enabled in ("true", "false"):
        assert tiny_train(*LONGER, f"guard.enabled={enabled}", f"run_dir={tmp_path}/{enabled}") == 0
    on, off = (checkpoint.read(tmp_path / name / "last.ckpt") for name in ("true", "false"))
    for key in ("state_dict", "optimizer_states", "lr_schedulers"):
        torch.testing.assert_close(on[key], off[key], rtol=0, atol=0)
    assert "guard/rollbacks" not in rows_of(tmp_path / "false/metrics.csv")[0]
    at(3, 1, ruin)
    assert tiny_train(*LONGER, "guard.enabled=false") == 2
    assert "is nan, the run has diverged" in capsys.readouterr().err


def test_rates_are_scaled_at_the_same_point_of_their_schedule():
    experiment = make_system("optim.schedule=exponential", "optim.factor=0.5", "optim.every=2").experiment
    p = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([p], lr=1.0)
    schedule = make_schedule(optimizer, experiment.optim, lambda: 0.0, "min")
    optimizer.step()
    schedule.step()
    now = optimizer.param_groups[0]["lr"]
    states = optimizer.state_dict(), schedule.state_dict()
    rollback.scale_rates(states[0]["param_groups"], states[1], [0.1])
    optimizer.load_state_dict(states[0])
    schedule.load_state_dict(states[1])
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * now)
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * 0.5)


@pytest.mark.parametrize("setting", ["factor=1", "factor=0", "patience=0", "max_skipped=0"])
def test_a_setting_out_of_range_is_one_line(tiny_train, capsys, setting):
    assert tiny_train(f"guard.{setting}") == 2
    assert capsys.readouterr().err.startswith(f"error: guard.{setting.split('=')[0]}=")


def test_curves_mark_rollbacks(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(curves.plt, "close", figures.append)
    rows = [{"epoch": str(i), "val/psnr": "20", "guard/rollbacks": str(float(i > 2))} for i in range(5)]
    curves.draw_curves(rows, tmp_path / "curves.png")
    monkeypatch.undo()
    (axis,) = figures[0].axes
    assert [line.get_xdata()[0] for line in axis.get_lines() if line.get_label() == "rollback"] == [2.5]


def test_a_collapse_alerts_in_wandb(tiny_train, at, monkeypatch, tmp_path):
    alerts = []
    monkeypatch.setattr("wandb.sdk.wandb_run.Run.alert", lambda self, **message: alerts.append((self.id, message)))
    at(3, 1, ruin, when=lambda system: system.experiment.seed == 0)
    assert tiny_train(*LONGER, "wandb.mode=offline") == 0
    ((run_id, message),) = alerts
    assert "gan collapsed in epoch 3: " in message["text"]
    assert checkpoint.read(tmp_path / "run/last.ckpt")["wandb_id"] == run_id


TWO = """
import hashlib, math, os
from pathlib import Path
import json, sys
from colorgan import train
from colorgan.systems.base import System

step, end = System.training_step, System.on_train_end

def training_step(self, batch, i):
    if (self.current_epoch, i) == (3, 0) and self.experiment.seed == 0:
        for p in self.model.net.parameters():
            p.data.fill_(math.nan)
    if (self.current_epoch, i) == (1, 1) and self.global_rank == 1:
        batch["rgb"][0] = math.inf
    return step(self, batch, i)

def on_train_end(self):
    state = b"".join(value.numpy().tobytes() for value in self.state_dict().values())
    Path(f"digest{self.global_rank}").write_text(hashlib.sha256(state).hexdigest())
    end(self)

System.training_step, System.on_train_end = training_step, on_train_end
sys.exit(max(train.main(run) for run in json.loads(Path("runs.json").read_text())))
"""


def test_two_processes_leave_out_the_same_steps_and_go_back_together(tmp_path, request):
    experiment = str(request.config.rootpath / "experiments/gan.yaml")
    outputs = start_pair(tmp_path, [[experiment, *TINY, *LONGER, "trainer.devices=2", "run_dir=run"]], TWO)
    assert "Traceback" not in "".join(outputs)
    assert "epoch 3: collapsed" in outputs[0] and "collapsed" not in outputs[1]
    assert (tmp_path / "digest0").read_text() == (tmp_path / "digest1").read_text()
    rows = rows_of(tmp_path / "run/metrics.csv")
    assert [float(row["train/skipped_batches"]) for row in rows] == [0, 1, 0, 0]
    assert [float(row["guard/rollbacks"]) for row in rows] == [0, 0, 1, 1]
