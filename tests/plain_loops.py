"""Training written as plain loops of PyTorch, and runs of the suite on the same batches, recorded from outside."""

import copy
import csv
from collections import defaultdict

import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from omegaconf import OmegaConf

from colorgan import train
from colorgan.color import split
from colorgan.nets.bodies import standardize
from colorgan.seeding import seed_of
from tests.conftest import tiny

EPOCHS, BATCHES = 2, 3  # of each run
RUN = (f"trainer.max_epochs={EPOCHS}", f"trainer.limit_train_batches={BATCHES}", "trainer.precision=32-true")


class Record:
    """What happened in a run or in a loop."""

    def __init__(self):
        self.rates = []  # of each step: the learning rate of each network
        self.states = []  # after each step: state dicts of the networks and the average, as in a checkpoint
        self.values = defaultdict(list)  # losses and gradient norms: of a loop each, of a run the mean of each epoch


class Recorder(pl.Callback):
    """Records a run; keeps its batches, and its networks as they were before the first."""

    def __init__(self):
        self.record, self.batches = Record(), []

    def on_train_start(self, trainer, system):
        self.model = copy.deepcopy(system.model)
        self.discriminator = copy.deepcopy(getattr(system, "discriminator", None))

    def on_train_batch_start(self, trainer, system, batch, batch_idx):
        if self.batches:
            self.record.states.append(cloned(system.state_dict()))
        self.batches.append(cloned(batch))
        self.record.rates.append([optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers])

    def on_train_end(self, trainer, system):
        self.record.states.append(cloned(system.state_dict()))


def record_run(directory, experiment, *overrides):
    """Train as a user does; return the recorder and the resolved experiment."""
    recorder, fit = Recorder(), pl.Trainer.fit

    def recorded_fit(trainer, *args, **kwargs):
        trainer.callbacks.append(recorder)
        fit(trainer, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pl.Trainer, "fit", recorded_fit)
        assert train.main([experiment, *tiny(experiment), *RUN, f"run_dir={directory}", *overrides]) == 0
    assert len(recorder.batches) == EPOCHS * BATCHES
    with (directory / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                recorder.record.values[name.removeprefix("train/")].append(float(value))
    return recorder, OmegaConf.load(directory / "experiment.yaml")


def gan_loop(recorder, experiment):
    """Train a GAN: for each batch a step of the discriminator, then those of the generator, then one of the average."""
    system, optim, record = experiment.system, experiment.optim, Record()
    model, discriminator = recorder.model.train(), recorder.discriminator.train()
    optimizers = [make_optimizer(network, optim) for network in (model, discriminator)]
    average = {}
    for step, batch in enumerate(recorder.batches):
        torch.manual_seed(seed_of(experiment.seed, *divmod(step, BATCHES), 0))  # of dropout
        record.rates.append(set_rates(optimizers, rate_of(step, optim), system.discriminator_lr * rate_of(step, optim)))
        L, ab = split(batch["rgb"])
        out = torch.tanh(model.net(L))

        real = discriminator(discriminator.features(torch.cat([L, ab], 1)))
        fake = discriminator(discriminator.features(torch.cat([L, 110 * out.detach()], 1)))
        loss = DISCRIMINATOR_LOSSES[system.loss](real, fake, system.real_label)
        record.values["discriminator_loss"].append(loss.detach())
        record.values["discriminator_gradient_norm"].append(descend(discriminator, optimizers[1], loss, optim.clip))

        for i in range(system.generator_steps):
            out = torch.tanh(model.net(L)) if i else out
            fake = discriminator(discriminator.features(torch.cat([L, 110 * out], 1)))
            adversarial, color = GENERATOR_LOSSES[system.loss](fake), (out - ab / 110).abs().mean()
            loss = adversarial + system.color_weight * color
            for name, value in {"generator": loss, "adversarial": adversarial, "color": color}.items():
                record.values[f"{name}_loss"].append(value.detach())
            record.values["generator_gradient_norm"].append(descend(model, optimizers[0], loss, optim.clip))

        average = next_average(average, model, step, system.ema)
        record.states.append(states(model=model, discriminator=discriminator) | average)
    return record


def loop(recorder, experiment, losses):
    """Train without a discriminator: for each batch a step of the network, then one of the average."""
    optim, record, model, average = experiment.optim, Record(), recorder.model.train(), {}
    optimizer = make_optimizer(model, optim)
    for step, batch in enumerate(recorder.batches):
        torch.manual_seed(seed_of(experiment.seed, *divmod(step, BATCHES), 0))  # of the drawn pixels
        record.rates.append(set_rates([optimizer], rate_of(step, optim)))
        loss, terms = losses(model, batch)
        for name, value in terms.items():
            record.values[name].append(value.detach())
        record.values["generator_gradient_norm"].append(descend(model, optimizer, loss, optim.clip))
        average = next_average(average, model, step, experiment.system.ema)
        record.states.append(states(model=model) | average)
    return record


def cross_entropy_of_label(logits, label):
    return -(label * F.logsigmoid(logits) + (1 - label) * F.logsigmoid(-logits)).mean()


DISCRIMINATOR_LOSSES = {
    "nonsaturating": lambda real, fake, label: cross_entropy_of_label(real, label) + cross_entropy_of_label(fake, 0),
    "least_squares": lambda real, fake, label: ((real - label) ** 2).mean() + (fake**2).mean(),
    "hinge": lambda real, fake, label: (1 - real).clamp(min=0).mean() + (1 + fake).clamp(min=0).mean(),
}


GENERATOR_LOSSES = {
    "nonsaturating": lambda fake: -F.logsigmoid(fake).mean(),
    "least_squares": lambda fake: ((fake - 1) ** 2).mean(),
    "hinge": lambda fake: -fake.mean(),
}


def color_losses(model, batch):
    L, ab = split(batch["rgb"])
    color = (torch.tanh(model.net(L)) - ab / 110).abs().mean()
    return color, {"color_loss": color}


def scene_losses(model, batch):
    L, ab = split(batch["rgb"])
    out, logits = model.net.forward_with_scenes(L)
    color = (2 * torch.sigmoid(out) - 1 - F.avg_pool2d(ab, 2) / 100).square().mean()
    scene = cross_entropy(logits, batch["label"])
    return color + 0.5 * scene, {"color_loss": color, "scene_loss": scene}


def pixel_losses(model, batch):
    L, ab = split(batch["rgb"])
    rows, columns = torch.randint(32, (4, 16)), torch.randint(32, (4, 16))
    out = model.net.forward_at(L, torch.stack([rows, columns], 2))[:, :, 0]
    true = torch.stack([picture[:, i, j] for picture, i, j in zip(ab, rows, columns, strict=True)])
    color = (torch.tanh(out) - true / 110).square().mean()
    return color, {"color_loss": color}


def classifier_losses(body, batch):
    L, _ = split(batch["rgb"])
    loss = cross_entropy(body(standardize(L, body.pretrained_cfg)), batch["label"])
    return loss, {"loss": loss}


def cross_entropy(logits, label):
    return -logits.log_softmax(1)[range(len(label)), label].mean()


def make_optimizer(network, optim):
    if optim.optimizer == "adam":
        return torch.optim.Adam(network.parameters(), betas=tuple(optim.betas), weight_decay=optim.weight_decay)
    return torch.optim.SGD(network.parameters(), momentum=optim.momentum, weight_decay=optim.weight_decay)


def rate_of(step, optim):
    """The learning rate of a step, counted from 0 over all epochs."""
    factors = {
        "constant": 1.0,
        "linear": min(1.0, (1 - step / (EPOCHS * BATCHES)) / optim.fall),
        "step": optim.factor ** (step // optim.every),
    }
    return optim.lr * factors[optim.schedule]


def set_rates(optimizers, *rates):
    for optimizer, rate in zip(optimizers, rates, strict=True):
        optimizer.param_groups[0]["lr"] = rate
    return list(rates)


def descend(network, optimizer, loss, clip):
    """Take one step of a network; return the norm of its gradient before clipping."""
    optimizer.zero_grad()
    loss.backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    if clip:
        for gradient in gradients:
            gradient.mul_(min(1.0, clip / norm))
    optimizer.step()
    return norm


def next_average(average, model, step, decay):
    """The average after a step: it starts at the weights after the first one; counters are copied."""
    decay = min(decay, (1 + step) / (10 + step))
    return {
        name: decay * average[name] + (1 - decay) * value if step and value.is_floating_point() else value
        for name, value in states(**{"ema.module": model}).items()
    }


def states(**networks):
    """Copies of all weights and buffers, named as in a checkpoint."""
    return cloned({f"{name}.{key}": v for name, network in networks.items() for key, v in network.state_dict().items()})


def cloned(tensors):
    return {name: value.clone() for name, value in tensors.items()}
