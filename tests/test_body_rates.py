"""The rate of a body of its own, and its wait."""

import pytest
import torch
from torch import nn

from colorgan import config
from colorgan.colorizer import checkpoint
from colorgan.errors import UserError
from colorgan.optim.optimizers import make_optimizer
from colorgan.optim.schedules import make_schedule, set_initial_lr
from colorgan.systems import TABLES
from colorgan.systems.building import build
from tests.conftest import TINY
from tests.test_optimizers import optim

ENCODER = (  # overrides of an experiment, for a net with a body that is trained
    "system=supervised",
    "net=encoder_unet",
    "net.body=test_efficientnet",
    "net.hints=true",
    "system.hint_share=0.5",
    "pretrained=false",
)


def test_other_groups_of_weights_beside_resume_start_afresh(tiny_train, tmp_path):
    tiny_train("optim.weight_decay=0.01")
    assert tiny_train("--resume", "trainer.max_epochs=2", "optim.decay_all=false") == 0
    stored = checkpoint.read(tmp_path / "run/last.ckpt")["optimizer_states"]
    assert [group["weight_decay"] for group in stored[0]["param_groups"]] == [0.0, 0.01]


class Bodied(nn.Module):
    """A network with a body of 4x3 + 4 weights and a head of 2x4 + 2."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.body(x))


def rates_of(net, optimizer):
    """The rate of each parameter by name."""
    names = {p: name for name, p in net.named_parameters()}
    return {names[p]: group["lr"] for group in optimizer.param_groups for p in group["params"]}


@pytest.mark.parametrize("name", ["adam", "sgd", "muon"])
def test_the_body_has_a_rate_of_its_own(name):
    net = Bodied()
    settings = optim(optimizer=name, lr=1.0, encoder_lr=0.3)
    optimizer = make_optimizer(net, settings, 0.5)
    body, head = dict.fromkeys(("body.weight", "body.bias"), 0.15), dict.fromkeys(("head.weight", "head.bias"), 0.5)
    assert rates_of(net, optimizer) == pytest.approx(body | head)
    set_initial_lr(make_schedule(optimizer, settings, lambda: 0.0, "min"), 2.0)
    assert rates_of(net, optimizer) == pytest.approx({**dict.fromkeys(body, 0.6), **dict.fromkeys(head, 2.0)})


def test_without_its_own_rate_the_body_is_in_no_group_of_its_own():
    (group,) = make_optimizer(Bodied(), optim(), 1.0).param_groups
    assert len(group["params"]) == 4 and "is_body" not in group


def test_muon_orthogonalizes_the_matrices_of_the_body_too():
    net = Bodied()
    optimizer = make_optimizer(net, optim(optimizer="muon", lr=1.0, encoder_lr=0.25), 1.0)
    names = {p: name for name, p in net.named_parameters()}
    found = {names[p]: group["orthogonalize"] for group in optimizer.param_groups for p in group["params"]}
    assert found == {"body.weight": True, "body.bias": False, "head.weight": True, "head.bias": False}
    before = net.body.weight.detach().clone()
    net(torch.randn(8, 3)).square().mean().backward()
    optimizer.step()
    values = torch.linalg.svdvals((before - net.body.weight.detach()) / (0.25 * 0.2 * 2))  # UPDATE_RMS, sqrt(4)
    assert values[:2].min() > 0.6 and values.max() < 1.3  # the gradient has rank 2


def test_the_body_has_both_kinds_of_decay():
    net = Bodied()
    settings = optim(optimizer="adamw", weight_decay=0.1, decay_all=False, encoder_lr=0.5)
    names = {p: name for name, p in net.named_parameters()}
    groups = make_optimizer(net, settings, 1.0).param_groups
    assert {names[p]: group["weight_decay"] for group in groups for p in group["params"]} == {
        "body.weight": 0.1,
        "body.bias": 0.0,
        "head.weight": 0.1,
        "head.bias": 0.0,
    }


def test_a_negative_rate_of_the_body_is_one_line():
    with pytest.raises(UserError, match=r"^optim.encoder_lr=-0.1: "):
        make_optimizer(Bodied(), optim(encoder_lr=-0.1), 1.0)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "muon"])
def test_the_body_waits_and_then_learns(name):
    net = Bodied()
    settings = optim(optimizer=name, lr=0.1, weight_decay=0.01, encoder_warmup=3, encoder_lr=0.5, warmup=1)
    optimizer = make_optimizer(net, settings, 1.0)
    schedule = make_schedule(optimizer, settings, lambda: 0.0, "min")
    moves, rates = [], []
    for _ in range(5):
        before = {name: p.detach().clone() for name, p in net.named_parameters()}
        net.zero_grad()
        net(torch.randn(8, 3)).square().mean().backward()
        rates.append(rates_of(net, optimizer))
        optimizer.step()
        schedule.step()
        moves.append({name: not torch.equal(p, before[name]) for name, p in net.named_parameters()})
    assert [move["body.weight"] for move in moves] == [move["body.bias"] for move in moves] == [False] * 3 + [True] * 2
    assert all(move["head.weight"] and move["head.bias"] for move in moves)
    assert [rate["body.weight"] for rate in rates] == pytest.approx([0, 0, 0, 0.05, 0.05])
    assert [rate["head.weight"] for rate in rates] == pytest.approx([0.05, 0.1, 0.1, 0.1, 0.1])


def test_another_initial_rate_leaves_a_waiting_body_waiting():
    net, settings = Bodied(), optim(lr=1.0, encoder_warmup=3)
    optimizer = make_optimizer(net, settings, 1.0)
    set_initial_lr(make_schedule(optimizer, settings, lambda: 0.0, "min"), 2.0)
    assert rates_of(net, optimizer)["body.weight"] == 0 and rates_of(net, optimizer)["head.weight"] == 2


@pytest.mark.parametrize("wrong", [{"encoder_warmup": -1}, {"encoder_warmup": 5, "schedule": "plateau"}])
def test_a_wait_of_the_body_that_cannot_be_is_one_line(wrong):
    settings = optim(**wrong)
    with pytest.raises(UserError, match=r"^optim.encoder_warmup="):
        make_schedule(make_optimizer(Bodied(), settings, 1.0), settings, lambda: 0.0, "min")


@pytest.mark.parametrize("key", ["optim.encoder_lr=0.5", "optim.encoder_warmup=2"])
@pytest.mark.parametrize("net", [["net=unet"], ["net=koala", "net.body=resnet10t", "net.body_size=32"]])
def test_a_net_without_a_body_that_is_trained_is_one_line(key, net):
    items = [*TINY, "system=supervised", *net, key, "pretrained=false"]
    with pytest.raises(UserError, match=r"^optim\.encoder_lr and optim\.encoder_warmup: no network here has a body"):
        build(config.load("experiments/gan.yaml", items, TABLES), fresh=False).configure_optimizers()


def groups_of(path):
    """The rate of the decoder and of the body in a checkpoint."""
    groups = checkpoint.read(path)["optimizer_states"][0]["param_groups"]
    return [{group["lr"] for group in groups if group["is_body"] == is_body} for is_body in (False, True)]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_resumed_run_with_hints_and_a_body_that_waits_is_the_unbroken_one(tiny_train, tmp_path, optimizer):
    more = (*ENCODER, f"optim.optimizer={optimizer}", "optim.encoder_lr=0.5", "optim.encoder_warmup=3", "optim.lr=1e-3")
    assert tiny_train(*more, "trainer.max_epochs=2", f"run_dir={tmp_path}/whole") == 0
    assert tiny_train(*more, f"run_dir={tmp_path}/broken") == 0
    assert groups_of(tmp_path / "broken/last.ckpt") == [{1e-3}, {0.0}]
    assert tiny_train("--resume", "trainer.max_epochs=2", f"run_dir={tmp_path}/broken") == 0
    whole, broken = (checkpoint.read(tmp_path / name / "last.ckpt")["state_dict"] for name in ("whole", "broken"))
    assert all(torch.equal(value, broken[key]) for key, value in whole.items())
    assert groups_of(tmp_path / "broken/last.ckpt") == [{1e-3}, {5e-4}]


@pytest.mark.parametrize(
    "change, rates",
    [
        ("optim.lr=1e-2", [{1e-2}, {5e-3}]),
        ("optim.encoder_lr=0.1", [{1e-3}, {1e-4}]),
        ("optim.encoder_lr=1", [{1e-3}]),
    ],
)
def test_a_rate_of_the_body_beside_resume_wins(tiny_train, tmp_path, change, rates):
    tiny_train(*ENCODER, "optim.encoder_lr=0.5", "optim.lr=1e-3")
    assert tiny_train("--resume", "trainer.max_epochs=2", change) == 0
    groups = checkpoint.read(tmp_path / "run/last.ckpt")["optimizer_states"][0]["param_groups"]
    found = [{g["lr"] for g in groups if bool(g.get("is_body")) == is_body} for is_body in (False, True)]
    assert [pytest.approx(sorted(rate)) for rate in found if rate] == [sorted(rate) for rate in rates]
