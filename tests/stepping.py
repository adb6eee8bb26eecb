"""Single training steps of systems, outside a trainer."""

from types import SimpleNamespace

import torch

from colorgan import config
from colorgan.systems import TABLES
from colorgan.systems.bad_steps import BadSteps
from colorgan.systems.building import build
from tests.conftest import TINY


def make_system(*overrides):
    """A system with its optimizers: nothing is logged."""
    model = build(config.load("experiments/gan.yaml", [*TINY, *overrides], TABLES), fresh=False)
    optimizers, _ = model.configure_optimizers()
    model.optimizers = lambda: optimizers
    model._trainer = SimpleNamespace(optimizers=optimizers)
    model.manual_backward = lambda loss: loss.backward()
    model.log_train = lambda values, share=1.0: None
    return model


class Wrapped:
    """What Lightning makes of an optimizer."""

    def __init__(self, optimizer):
        self.optimizer = optimizer

    def __getattr__(self, name):
        return getattr(self.optimizer, name)


def guard_steps(system):
    """Let a system leave out bad steps."""
    wrapped = [Wrapped(optimizer) for optimizer in system.optimizers()]
    system.optimizers = lambda: wrapped
    system.bad_steps = BadSteps([network for network, _ in system.networks().values()])
    return system


def batch(n=4):
    return {"rgb": torch.rand(n, 3, 32, 32)}


def weights(module):
    return [parameter.detach().clone() for parameter in module.parameters()]


def same(before, module):
    return all(torch.equal(old, new) for old, new in zip(before, module.parameters(), strict=True))
