import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from colorgan.colorizer import checkpoint
from colorgan.config.schema import Optim
from colorgan.errors import UserError
from colorgan.optim.muon import Muon
from colorgan.optim.optimizers import make_optimizer, restore_settings
from colorgan.optim.schedules import make_schedule


def optim(**values):
    return OmegaConf.structured(Optim(**values))


@pytest.mark.parametrize(
    "name, kind",
    [("adam", torch.optim.Adam), ("sgd", torch.optim.SGD), ("adadelta", torch.optim.Adadelta), ("muon", Muon)],
)
def test_an_optimizer_by_its_name(name, kind):
    optimizer = make_optimizer(nn.Linear(2, 2), optim(optimizer=name, lr=0.5, weight_decay=0.1), ratio=0.1)
    assert type(optimizer) is kind
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)
    assert optimizer.param_groups[0]["weight_decay"] == 0.1


def test_frozen_weights_are_left_alone():
    part = nn.Linear(2, 2)
    part.weight.requires_grad_(False)
    (group,) = make_optimizer(part, optim(), 1.0).param_groups
    assert [p is part.bias for p in group["params"]] == [True]


@pytest.mark.parametrize("wrong", [{"lr": -1.0}, {"betas": (2.0, 0.9)}, {"optimizer": "sgd", "momentum": -1.0}])
def test_a_nonsense_value_is_one_line(wrong):
    with pytest.raises(UserError, match=r"^optim: "):
        make_optimizer(nn.Linear(2, 2), optim(**wrong), 1.0)


def test_the_experiments_settings_win_over_restored_ones():
    net = nn.Linear(2, 2)
    optimizer = make_optimizer(net, optim(optimizer="sgd", momentum=0.1), 1.0)
    fresh = make_optimizer(net, optim(optimizer="sgd", momentum=0.7, weight_decay=0.2, lr=9.0), 1.0)
    restore_settings(optimizer, fresh)
    group = optimizer.param_groups[0]
    assert (group["momentum"], group["weight_decay"], group["lr"]) == (0.7, 0.2, 2e-4)


def test_a_step_schedule_drops_every_so_many_batches():
    settings = optim(lr=1.0, schedule="step", factor=0.5, every=3)
    optimizer = make_optimizer(nn.Linear(2, 2), settings, 1.0)
    schedule = make_schedule(optimizer, settings, lambda: 0.0, "min")
    rates = []
    for _ in range(8):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_a_linear_schedule_falls_to_nothing_at_the_end_of_the_run():
    settings = optim(lr=1.0, schedule="linear", fall=0.4)
    done = iter([0.0, 0.5, 0.6, 0.7, 0.8, 1.0])
    optimizer = make_optimizer(nn.Linear(2, 2), settings, 1.0)
    schedule = make_schedule(optimizer, settings, lambda: next(done), "min")
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(5):
        optimizer.step()
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([1, 1, 1, 0.75, 0.5, 0])


@pytest.mark.parametrize(
    "schedule, wrong",
    [
        ("linear", {"fall": 0.0}),
        ("linear", {"fall": 1.5}),
        ("step", {"every": 0}),
        ("step", {"factor": 0.0}),
        ("exponential", {"every": -2}),
        ("exponential", {"factor": -0.5}),
        ("plateau", {"factor": 1.0}),
    ],
)
def test_a_value_that_makes_no_schedule_is_one_line(schedule, wrong):
    settings = optim(schedule=schedule, **wrong)
    with pytest.raises(UserError, match=rf"^optim.{next(iter(wrong))}="):
        make_schedule(make_optimizer(nn.Linear(2, 2), settings, 1.0), settings, lambda: 0.0, "min")


@pytest.mark.parametrize(
    "direction, metrics, drops", [("max", [1, 2, 3], 0), ("max", [3, 2, 1], 2), ("min", [3, 2, 1], 0)]
)
def test_a_plateau_is_the_lack_of_a_better_metric(direction, metrics, drops):
    settings = optim(lr=1.0, schedule="plateau", factor=0.5, patience=0)
    optimizer = make_optimizer(nn.Linear(2, 2), settings, 1.0)
    schedule = make_schedule(optimizer, settings, lambda: 0.0, direction)
    for metric in metrics:
        schedule.step(metric)
    assert optimizer.param_groups[0]["lr"] == 0.5**drops


def test_another_optimizer_beside_resume_starts_afresh(tiny_train, tmp_path):
    tiny_train()
    assert tiny_train("--resume", "trainer.max_epochs=2", "optim.optimizer=sgd", "optim.lr=1e-3") == 0
    stored = checkpoint.read(tmp_path / "run/last.ckpt")["optimizer_states"]
    assert {"momentum", "nesterov"} <= stored[0]["param_groups"][0].keys()
