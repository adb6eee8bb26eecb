"""Steps that are not finite, and are left out."""

import math

import pytest
import torch

from colorgan.systems.bad_steps import BadSteps
from tests.stepping import batch, guard_steps, make_system


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
