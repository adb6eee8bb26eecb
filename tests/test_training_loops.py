"""Training itself: real runs, step by step against loops of plain PyTorch on the same batches.

The loops share nets, discriminators and the conversion to Lab with the suite, but not its systems, losses, optimizers,
schedules and averages. A run is observed from outside: by a callback, and by what it writes.
"""

from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from tests.plain_loops import (
    EPOCHS,
    classifier_losses,
    color_losses,
    gan_loop,
    loop,
    pixel_losses,
    record_run,
    scene_losses,
)

# Adam takes steps of full length in the direction of a gradient that is 0 up to rounding, as that of a bias before a
# normalization is, so networks with such biases are trained by SGD.
ADAM = ("optim.optimizer=adam", "optim.lr=1e-3", "optim.betas=[0.5,0.99]")
SGD = ("optim.optimizer=sgd", "optim.lr=1e-2", "optim.momentum=0.9")
GAN = ("experiments/gan.yaml", *ADAM, "net.norm=none", "discriminator.norm=none", "system.color_weight=10")
SUPERVISED = ("experiments/gan.yaml", *ADAM, "system=supervised")
FOLDER = ("data.name=folder", "data.near_gray=0", "pretrained=false")
CASES = {
    "nonsaturating": (gan_loop, *GAN, "system.real_label=0.8"),
    "least_squares": (gan_loop, *GAN, "system.loss=least_squares", "system.real_label=0.8", "system.ema=0.3"),
    "hinge": (gan_loop, *GAN, "system.loss=hinge", "system.real_label=1", "optim.weight_decay=0.1"),
    "two_generator_steps": (gan_loop, *GAN, "system.generator_steps=2"),
    "dropout": (gan_loop, *GAN, "net.dropout=0.5"),
    "batch_norm": (gan_loop, *GAN, *SGD, "net.norm=batch", "discriminator.norm=batch"),
    "clipped": (gan_loop, *GAN, *SGD, "optim.clip=0.05"),
    "linear": (gan_loop, *GAN, "optim.schedule=linear", "optim.fall=0.8", "system.discriminator_lr=0.5"),
    "supervised": (partial(loop, losses=color_losses), *SUPERVISED, "net.norm=none"),
    "step": (
        *(partial(loop, losses=color_losses), *SUPERVISED, "net.norm=none"),
        *("optim.schedule=step", "optim.every=2", "optim.factor=0.3"),
    ),
    "pixels": (
        *(partial(loop, losses=pixel_losses), *SUPERVISED, "codec.loss=mse", "pretrained=false"),
        *("net=hypercolumn", "net.points=16", "net.dropout=0"),
    ),
    "scenes": (
        *(partial(loop, losses=scene_losses), "experiments/iizuka2016.yaml", *SGD, *FOLDER),
        *("net.global_size=32", "system.scene_weight=0.5"),
    ),
    "classifier": (
        *(partial(loop, losses=classifier_losses), "experiments/resnet18-classifier.yaml", *SGD, *FOLDER),
        *("system.body=test_resnet", "optim.schedule=constant"),
    ),
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of pictures in two classes."""
    folder, generator = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for i in range(24):
        path = folder / ("sea", "forest")[i % 2] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(generator.integers(0, 255, (40, 48, 3), dtype=np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module", params=CASES)
def records(request, tmp_path_factory, pictures):
    """Records of a run, and of the loop that it should equal."""
    torch.set_num_threads(1)
    plain_loop, *arguments = CASES[request.param]
    root = [f"data.root={pictures}"] if "data.name=folder" in arguments else []
    recorder, experiment = record_run(tmp_path_factory.mktemp("run"), *arguments, *root)
    return recorder.record, plain_loop(recorder, experiment)


def assert_same_states(records, average):
    """Compare the states after each step: those of the average, or all others."""
    for step, (seen, expected) in enumerate(zip(*(record.states for record in records), strict=True)):
        names = [name for name in expected if name.startswith("ema.module.") == average]
        torch.testing.assert_close(
            *({name: state[name] for name in names} for state in (seen, expected)),
            # A run has another memory layout, and so other rounding: with AVX2 by 4e-5, a fifth of a step of Adam.
            **{"rtol": 1e-5, "atol": 1e-4},
            msg=lambda text, step=step: f"after step {step}: {text}",
        )


def test_each_step_leads_to_the_weights_of_a_plain_loop(records):
    assert_same_states(records, average=False)


def test_the_average_is_that_of_a_plain_loop_after_each_step(records):
    assert_same_states(records, average=True)


def test_each_step_has_the_learning_rate_of_its_schedule(records):
    run, plain = records
    assert run.rates == [pytest.approx(rates) for rates in plain.rates]


def test_losses_and_gradient_norms_are_logged_as_means_of_each_epoch(records):
    run, plain = records
    means = {name: torch.stack(values).view(EPOCHS, -1).mean(1).tolist() for name, values in plain.values.items()}
    assert {name: run.values[name] for name in means} == {
        name: pytest.approx(values, rel=5e-4) for name, values in means.items()
    }
