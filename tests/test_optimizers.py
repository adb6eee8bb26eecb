from copy import deepcopy

import pytest
import timm
import torch
from omegaconf import OmegaConf
from torch import nn

from colorgan.colorizer import checkpoint
from colorgan.config.schema import Optim
from colorgan.errors import UserError
from colorgan.optim.muon import Muon
from colorgan.optim.optimizers import make_optimizer, restore_settings
from colorgan.optim.schedules import make_schedule, set_initial_lr


def optim(**values):
    return OmegaConf.structured(Optim(**values))


@pytest.mark.parametrize(
    "name, kind",
    [
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("sgd", torch.optim.SGD),
        ("adadelta", torch.optim.Adadelta),
        ("muon", Muon),
    ],
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


def test_biases_and_norms_are_left_out_of_weight_decay_on_request():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    settings = optim(optimizer="adamw", weight_decay=0.1, decay_all=False)
    groups = make_optimizer(net, settings, 1.0).param_groups
    assert {group["weight_decay"]: sum(p.numel() for p in group["params"]) for group in groups} == {0.0: 6, 0.1: 18}


def test_each_layer_of_a_classifier_has_its_rate():
    net = timm.create_model("resnet10t", num_classes=2)
    settings = optim(lr=1.0, layer_decay=0.5, schedule="linear")
    optimizer = make_optimizer(net, settings, 0.1)
    schedule = make_schedule(optimizer, settings, lambda: 0.8, "min")
    assert optimizer.param_groups[-1]["lr"] == pytest.approx(0.1 * 0.5)
    assert len({group["lr"] for group in optimizer.param_groups}) > 3
    set_initial_lr(schedule, 1.0)
    assert optimizer.param_groups[-1]["lr"] == pytest.approx(0.5)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5 * optimizer.param_groups[0]["lr_scale"])


def test_layer_wise_rates_need_a_network_with_layers():
    with pytest.raises(UserError, match=r"^optim.layer_decay=0.5: "):
        make_optimizer(nn.Linear(2, 2), optim(layer_decay=0.5), 1.0)


@pytest.mark.parametrize("ignored", [{"layer_decay": 0.5}, {"decay_all": False}])
def test_what_muon_would_ignore_is_refused(ignored):
    with pytest.raises(UserError, match=r"^optim.optimizer=muon has groups of its own"):
        make_optimizer(nn.Linear(2, 2), optim(optimizer="muon", **ignored), 1.0)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_a_rate_warms_up(schedule):
    settings = optim(lr=1.0, schedule=schedule, warmup=3)
    optimizer = make_optimizer(nn.Linear(2, 2), settings, 1.0)
    warming = make_schedule(optimizer, settings, lambda: 0.0, "min")
    rates = []
    for _ in range(5):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        warming.step()
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1, 1])


@pytest.mark.parametrize("wrong", [{"warmup": -1}, {"warmup": 5, "schedule": "plateau"}])
def test_a_warm_up_that_cannot_be_is_one_line(wrong):
    settings = optim(**wrong)
    with pytest.raises(UserError, match=r"^optim.warmup="):
        make_schedule(make_optimizer(nn.Linear(2, 2), settings, 1.0), settings, lambda: 0.0, "min")


def test_restored_state_takes_the_memory_layout_of_the_weights():
    old, new = nn.Conv2d(2, 4, 3), nn.Conv2d(2, 4, 3).to(memory_format=torch.channels_last)
    new.load_state_dict(old.state_dict())
    optimizers = [make_optimizer(net, optim(lr=0.1), 1.0) for net in (old, new)]
    step(old, optimizers[0])
    new.load_state_dict(old.state_dict())
    optimizers[1].load_state_dict(deepcopy(optimizers[0].state_dict()))
    restore_settings(optimizers[1], make_optimizer(new, optim(lr=0.1), 1.0))
    assert optimizers[1].state[new.weight]["exp_avg"].stride() == new.weight.stride()
    for net, optimizer in zip((old, new), optimizers, strict=True):
        step(net, optimizer)
    assert torch.allclose(old.weight, new.weight, atol=1e-6)


def step(net, optimizer):
    optimizer.zero_grad()
    torch.manual_seed(0)
    net(torch.randn(3, 2, 8, 8)).square().mean().backward()
    optimizer.step()
