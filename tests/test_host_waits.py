"""A training step queues work and never waits for it: the host reads nothing from the device.

One copy is free without pinned memory, a `non_blocking` one of a value a picture; see `tests/faking.py`.
"""

import pytest
import torch
import torch.nn.functional as F

from colorgan.nets.resunet import ResUNet
from colorgan.systems.embeddings import Embeddings
from tests.faking import backward, batch_on_cuda, data_on_cuda, fake_cuda, system_on_cuda
from tests.stepping import guard_steps

EXPERIMENTS = {
    "gan": [],
    "gan-fast": ["net.body=test_efficientnet", "discriminator.body=resnet10t"],
    "cnn-regression": [],
    "cnn-classification": [],
    "zhang2016": [],
    "larsson2016": [],
    "iizuka2016": ["net.global_size=32", "net.classes=3"],
    "vgg19-fusion": [],
    "koalarization": ["net.body=resnet10t", "net.body_size=32"],
    "resnet18-classifier": ["system.body=resnet10t", "system.classes=6"],
    "judge": ["system.body=resnet10t", "system.classes=6"],
}


def step(model, number=0):
    model.train_batch(batch_on_cuda())
    model.ema.update_parameters(model.model)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_step_waits_for_nothing(name):
    with fake_cuda() as waits:
        model = system_on_cuda(*EXPERIMENTS[name], experiment=f"experiments/{name}.yaml")
        waits.clear()
        step(model)
    assert not waits, "\n".join(sorted(set(waits)))


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_a_step_that_may_be_left_out_waits_for_nothing(optimizer):
    with fake_cuda() as waits:
        model = guard_steps(system_on_cuda(f"optim.optimizer={optimizer}"))
        waits.clear()
        model.bad_steps.start_batch()
        model.train_batch(batch_on_cuda())
        model._means.end_batch(model.bad_steps.end_batch())
        step(model)
    assert not waits, "\n".join(sorted(set(waits)))


HINTED = ["net=encoder_unet", "net.body=test_efficientnet", "net.hints=true", "pretrained=false"]
HINTED += ["system.hint_share=0.5", "optim.encoder_lr=0.5", "optim.encoder_warmup=2"]


@pytest.mark.parametrize(
    "settings",
    {
        "hints": ["system=supervised", "codec.uncertainty=true", *HINTED],
        "hints in a GAN": [*HINTED, "optim.accumulate=2"],
        "relativistic": ["net=resunet", "system.loss=relativistic", "system.real_label=1", "system.gradient_penalty=1"],
        "mixing": ["discriminator=projected", "discriminator.mixing=true", "discriminator.body=resnet10t"],
    }.items(),
    ids=lambda item: item[0],
)
def test_a_setting_waits_for_nothing(settings):
    with fake_cuda() as waits:
        model = system_on_cuda(*settings[1])
        waits.clear()
        step(model)
    assert not waits, "\n".join(sorted(set(waits)))


@pytest.mark.parametrize("optimizer", ["sgd", "adadelta", "muon"])
def test_an_optimizer_waits_for_nothing(optimizer):
    with fake_cuda() as waits:
        model = system_on_cuda("system=supervised", "net=resunet", f"optim.optimizer={optimizer}")
        waits.clear()
        step(model)
    assert not waits, "\n".join(sorted(set(waits)))


def test_embeddings_that_are_stored_wait_for_nothing(tmp_path):
    with fake_cuda() as waits:
        model = system_on_cuda(*EXPERIMENTS["koalarization"], experiment="experiments/koalarization.yaml")
        model.embeddings = Embeddings(tmp_path / "e.npy", 4, model.model.net.embedding_width)
        step(model)  # stores them
        waits.clear()
        step(model, 1)
    assert not waits, "\n".join(sorted(set(waits)))


def test_augmentation_waits_for_nothing():
    with fake_cuda() as waits:
        data = data_on_cuda()
        for seed in range(2):  # kornia makes its constants in the first
            waits.clear()
            data.augment(batch_on_cuda(36, torch.uint8), torch.Generator().manual_seed(seed))
    assert not waits, "\n".join(sorted(set(waits)))


@pytest.mark.parametrize(
    "wait",
    {
        "item": lambda x: x.sum().item(),
        "bool": lambda x: bool((x > 0).any()),
        "mask": lambda x: x[x > 0],
        "assignment by a mask": lambda x: x.index_put_((x > 0,), torch.zeros(x.numel(), device="cuda")),
        "nonzero": lambda x: x.nonzero(),
        "read": lambda x: x.cpu(),
        "literal": lambda x: x.new_tensor([1.0, 2.0]),
        "copy": lambda x: torch.zeros(2).to("cuda"),
        "pageable memory": lambda x: torch.zeros(500).to("cuda", non_blocking=True),
        "index of the CPU": lambda x: x[torch.arange(2)],
    }.items(),
    ids=lambda item: item[0],
)
def test_the_count_sees_a_wait(wait):
    with fake_cuda() as waits:
        x = torch.zeros(4, 3, 8, 8, device="cuda")
        wait[1](x)
    assert len(waits) == 1


def test_the_count_leaves_out_what_only_queues():
    with fake_cuda() as waits:
        x = torch.zeros(4, 3, 8, 8, device="cuda")
        torch.where(x > 0, x, 0.0).masked_fill_(x < 1, 2.0).sum().clamp(min=1) + torch.full((2,), 3.0, device="cuda")
        x[torch.arange(2, device="cuda")] + torch.zeros(500).pin_memory().to("cuda", non_blocking=True)[0]
        torch.rand(4).to("cuda", non_blocking=True)
        torch.rand(4).sum().item()
    assert not waits, "\n".join(sorted(set(waits)))


def test_a_tensor_that_was_left_on_the_cpu_raises():
    with fake_cuda(), pytest.raises(RuntimeError, match="same device"):
        torch.zeros(2, device="cuda") + torch.zeros(2)


def test_the_stand_in_for_backward_gives_autograds_gradients():
    net, L = ResUNet(2, width=4), 100 * torch.rand(2, 1, 32, 32)
    gradients = []
    for descend in (torch.Tensor.backward, backward):
        net.zero_grad()
        loss = F.l1_loss(net(L) * torch.ones(1, requires_grad=True), torch.ones(1, 2, 1, 1).expand(2, 2, 8, 8))
        descend(loss)
        gradients.append([p.grad.clone() for p in net.parameters()])
    assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(*gradients, strict=True))
