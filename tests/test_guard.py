"""The guard: signs of collapse, steps that are left out, and the way back to a healthy epoch."""

import csv
import math

import pytest
import torch

from colorgan.colorizer import checkpoint
from colorgan.data.module import PhotographDataModule
from colorgan.metrics.spread import ab_spread
from colorgan.optim.schedules import make_schedule
from colorgan.systems.bad_steps import BadSteps
from colorgan.systems.base import System
from colorgan.training import curves, guard, rollback
from colorgan.training.health import ACCURACIES, ERROR, GRAY_ERROR, SPREADS, Health
from tests.conftest import TINY
from tests.stepping import batch, guard_steps, make_system
from tests.test_ddp import start_pair

HEALTHY = {
    "val/color_distance": 0.3,
    ERROR: 12.0,
    GRAY_ERROR: 20.0,
    **dict.fromkeys(SPREADS, 0.7),
    **dict(zip(ACCURACIES, (0.6, 0.9), strict=True)),
}
ALWAYS_RIGHT = dict.fromkeys(ACCURACIES, 0.999)
GUESSING = dict(zip(ACCURACIES, (0.98, 0.03), strict=True))


def health(*epochs):
    """A Health that has judged epochs, each a change of HEALTHY; and the signs of the last one."""
    judge, signs = Health("val/color_distance", "min", patience=3), []
    for change in epochs:
        signs = judge.judge({**HEALTHY, **change})
    return judge, signs


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"train/generator_loss": math.nan}, "train/generator_loss is nan"),
        ({"val/psnr": math.inf}, "val/psnr is inf"),
        ({"val/color_distance": 0.61}, "val/color_distance is 0.61, the best was 0.3"),
        ({ERROR: 25.0}, "guard/ab_error is 25, the best was 12"),
        ({SPREADS[0]: 0.1}, "colors vary 10% as much within"),
        ({SPREADS[1]: 0.1}, "colors vary 10% as much between"),
        ({SPREADS[0]: 5.0}, "colors vary 500% as much within"),
    ],
)
def test_a_collapse_shows_signs(change, text):
    _, signs = health({}, {}, change)
    assert text in signs[0].text
    assert signs[0].certain == ("train/" in text or "psnr" in text)


def test_an_error_above_that_of_gray_is_a_sign_in_the_first_epoch():
    _, signs = health({ERROR: 45.0})
    assert "the ab error is 45, that of plain gray 20" in signs[0].text


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"val/color_distance": 0.4, ERROR: 17.0},  # fluctuates
        dict.fromkeys(SPREADS, 0.4),
        dict.fromkeys(SPREADS, 1.5),
        ALWAYS_RIGHT,  # as critics of hinge losses on pretrained features are
        GUESSING,  # as at the equilibrium of a GAN
    ],
)
def test_a_healthy_run_shows_none(change):
    _, signs = health({}, *[change] * 9)
    assert not signs


def test_a_generator_that_begins_gray_shows_none():
    _, signs = health(*[dict.fromkeys(SPREADS, 0.02)] * 9)
    assert not signs


@pytest.mark.parametrize("change", [ALWAYS_RIGHT, GUESSING])
def test_a_useless_discriminator_counts_where_colors_get_worse(change):
    worse = {"val/color_distance": 0.4}
    assert not health({}, *[worse] * 3)[1]
    assert not health({}, *[{**change, **worse}] * 2)[1]
    _, signs = health({}, *[{**change, **worse}] * 3)
    assert "the discriminator" in signs[0].text and "for 3 epochs" in signs[0].text


def test_a_metric_that_rises_is_worse_where_it_falls():
    judge = Health("val/psnr", "max", patience=3)
    assert not judge.judge({"val/psnr": 24.0})
    assert not judge.judge({"val/psnr": 20.0})
    assert judge.judge({"val/psnr": 12.0})


def test_a_health_goes_on_from_its_state():
    judge, _ = health({}, *[ALWAYS_RIGHT] * 2)
    other = Health("val/color_distance", "min", patience=3)
    other.load_state_dict(judge.state_dict())
    change = {**HEALTHY, **ALWAYS_RIGHT, "val/color_distance": 0.4}
    assert other.judge(change) == judge.judge(change) != []


def test_spread_of_colors():
    gray = torch.zeros(4, 2, 8, 8)
    cast = gray + torch.tensor([20.0, -10.0])[:, None, None]
    alike = torch.randn(1, 2, 8, 8).expand(4, -1, -1, -1)
    apart = gray + torch.tensor([3.0, -3.0, 3.0, -3.0])[:, None, None, None]
    for ab, within, between in ((gray, 0, 0), (cast, 0, 0), (apart, 0, math.sqrt(18))):
        torch.testing.assert_close(ab_spread(ab), (torch.tensor(float(within)), torch.tensor(float(between))))
    within, between = ab_spread(alike)
    assert within > 1 and between < 1e-6


def guarded(*overrides):
    return guard_steps(make_system(*overrides))


def train_on(system, pictures):
    system.bad_steps.start_batch()
    system.train_batch(pictures)
    return bool(system.bad_steps.end_batch())


def everything(system):
    """Copies of all weights, buffers and optimizer states, but the counters of batch normalization."""
    state = {k: v.clone() for k, v in system.state_dict().items() if "num_batches_tracked" not in k}
    for i, optimizer in enumerate(system.optimizers()):
        for j, values in enumerate(optimizer.state.values()):
            state |= {f"{i} {j} {k}": v.clone() for k, v in values.items()}
    return state


def infinite():
    pictures = batch()
    pictures["rgb"][0, 0, 0, 0] = math.inf
    return pictures


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "adadelta", "muon"])
def test_a_bad_step_changes_nothing(optimizer):
    system = guarded(f"optim.optimizer={optimizer}", "net=resunet")
    assert not train_on(system, batch())
    before = everything(system)
    assert train_on(system, infinite())
    after = everything(system)
    assert before.keys() == after.keys()
    assert [key for key, value in before.items() if not torch.equal(value, after[key])] == []
    assert not train_on(system, batch())
    assert not all(torch.equal(value, before[key]) for key, value in everything(system).items())


def test_without_a_guard_it_changes_everything():
    system = make_system()
    system.train_batch(infinite())
    assert not all(value.isfinite().all() for value in system.state_dict().values())


def test_a_good_step_is_that_of_an_unguarded_run():
    pictures = batch()
    systems = [make_system(), guarded()]
    systems[1].load_state_dict(systems[0].state_dict())
    for seed in range(2):
        torch.manual_seed(seed)
        systems[0].train_batch(pictures)
        torch.manual_seed(seed)
        train_on(systems[1], pictures)
    assert all(torch.equal(value, systems[1].state_dict()[key]) for key, value in systems[0].state_dict().items())


def test_an_infinite_loss_with_finite_gradients_is_bad():
    p = torch.nn.Parameter(torch.tensor(1.0))
    for offset, finite in ((0.0, True), (math.inf, False)):
        p.grad = None
        BadSteps.mark(2 * p + offset).backward()
        assert bool(p.grad.isfinite()) == finite


def test_bad_batches_in_a_row_are_counted():
    system = guarded()
    counts = []
    for pictures in (batch(), infinite(), infinite(), batch(), infinite()):
        train_on(system, pictures)
        counts.append(int(system.bad_steps.in_a_row))
    assert counts == [0, 1, 2, 0, 1]


LONGER = ("trainer.max_epochs=4", "data.crops=16", "trainer.limit_train_batches=4")


class Died(BaseException):
    """What no handler of an exception expects, like SIGKILL."""


@pytest.fixture
def at(monkeypatch):
    """Does something to the system at the beginning of a batch of an epoch, under seeds that `when` accepts."""

    def do(epoch, batch_index, action, when=lambda seed: True):
        step = System.training_step

        def training_step(self, pictures, batch_idx):
            if (self.current_epoch, batch_idx) == (epoch, batch_index) and when(self.experiment.seed):
                action(self)
            return step(self, pictures, batch_idx)

        monkeypatch.setattr(System, "training_step", training_step)

    return do


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
    at(3, 1, ruin, when=lambda seed: seed == 0)
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
    at(3, 1, ruin, when=lambda seed: seed == 0)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    more = (*LONGER, "checkpoint.every_batches=2")
    assert tiny_train(*more, f"run_dir={whole}") == 0
    deaths = []
    for place in ((2, 0), (3, 3)):  # before anything new is saved, and in the middle of a later epoch

        def die_once(system, place=place):
            if place not in deaths:
                deaths.append(place)
                raise Died

        at(*place, die_once, when=lambda seed: seed != 0)
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


def test_a_run_that_was_never_healthy_starts_again(tiny_train, tmp_path, at, capsys):
    at(0, 1, ruin, when=lambda seed: seed == 0)
    assert tiny_train("guard.max_rollbacks=0") == 2
    error = capsys.readouterr().err
    assert "No epoch was healthy" in error and "--resume" in error
    assert tiny_train("trainer.max_epochs=2", "--resume") == 0
    assert "back to its beginning with optim.lr=2e-05" in capsys.readouterr().err
    assert [float(row["guard/rollbacks"]) for row in rows_of(tmp_path / "run/metrics.csv")] == [1, 1]


def test_settings_of_a_resumed_run_outlast_a_rollback(tiny_train, tmp_path, at):
    at(3, 1, ruin, when=lambda seed: seed == 0)
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
    at(2, 0, ruin, when=lambda seed: seed == 0)
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
    at(3, 1, ruin, when=lambda seed: seed == 0)
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
