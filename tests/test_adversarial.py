import csv

import pytest
import torch

from colorgan.errors import UserError
from tests.stepping import batch, make_system, same, weights


def discriminators_values(model, part, logits=None):
    """What the discriminator's loss of a part is and logs, from given logits."""
    logged = {}
    model.log_train = lambda values, share=1.0: logged.update(values)
    if logits:
        model.judge = lambda *inputs: [torch.tensor(x) for x in logits][: len(inputs)]
    return model.discriminator_part(part, [features.detach() for features in model.generate(part).features]), logged


REAL, FAKE = [3.0, 1.0], [2.0, -1.0]


@pytest.mark.parametrize("loss", ["nonsaturating", "relativistic"])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_gradient_penalty_is_that_of_real_and_fake_features(loss, share):
    plain, penalized = (
        make_system(f"system.loss={loss}", "system.real_label=1", f"system.gradient_penalty={w}") for w in (0, 3)
    )
    logits = [REAL, FAKE, [3.2, 1.2], [2.1, -1.1]]  # changes of 0.2 and of 0.1, by a step of 0.1
    without, logged = discriminators_values(plain, plain.make_part(batch(), share), logits)
    assert "gradient_penalty" not in logged
    loss_of, logged = discriminators_values(penalized, penalized.make_part(batch(), share), logits)
    assert logged["gradient_penalty"].item() == pytest.approx(4 + 1, rel=1e-4)
    assert (loss_of - without).item() == pytest.approx(share * 3 * 5, rel=1e-4)


def test_the_penalized_features_are_a_tenth_of_a_deviation_away():
    model, seen = make_system("system.gradient_penalty=1"), []
    judge = model.judge
    model.judge = lambda *inputs: seen.extend(inputs) or judge(*inputs)
    discriminators_values(model, model.make_part(batch(8), 1.0))
    assert len(seen) == 4
    for features, moved in zip(seen[:2], seen[2:], strict=True):
        for x, y in zip(features, moved, strict=True):
            assert (y - x).std().item() == pytest.approx(0.1 * x.std().item(), rel=0.05)


def test_the_gradient_penalty_trains_the_discriminator_alone():
    plain, penalized = (make_system(f"system.gradient_penalty={weight}") for weight in (0, 100))
    penalized.load_state_dict(plain.state_dict())
    pictures, steps = batch(), []
    for model in (plain, penalized):
        before = weights(model.discriminator)
        model.step_discriminator([model.make_part(pictures, 1.0)], [model.make_part(pictures, 1.0).real])
        steps.append(torch.cat([p.grad.flatten() for p in model.discriminator.parameters()]))
        assert not same(before, model.discriminator)
        assert all(p.grad is None for p in model.model.parameters())
    assert steps[1].norm() > 2 * steps[0].norm()


def test_a_negative_gradient_penalty_is_refused():
    with pytest.raises(UserError, match=r"gradient_penalty=-1\.0: a weight"):
        make_system("system.gradient_penalty=-1")


@pytest.mark.parametrize("loss", ["hinge", "relativistic"])
def test_a_loss_without_labels_has_none_to_smooth(loss):
    with pytest.raises(UserError, match=f"the {loss} loss has no labels to smooth"):
        make_system(f"system.loss={loss}", "system.real_label=0.9")


def test_the_relativistic_generator_is_compared_with_the_same_photographs():
    model, seen = make_system("system.loss=relativistic", "system.real_label=1", "optim.accumulate=2"), []
    loss = model.generator_loss
    model.generator_loss = lambda *logits: seen.append(logits) or loss(*logits)
    parts = [model.make_part({"rgb": pictures}, 0.5) for pictures in batch()["rgb"].chunk(2)]
    model.discriminator.eval()  # one picture's logits do not depend on the others
    model.step_generator(parts, [None, None])
    for part, (fake, real) in zip(parts, seen, strict=True):
        assert torch.equal(real, model.discriminator(part.real)) and not real.requires_grad
        assert fake.requires_grad


def test_relativistic_accuracy_is_that_of_pairs():
    model = make_system("system.loss=relativistic", "system.real_label=1")
    _, logged = discriminators_values(
        model, model.make_part(batch(), 1.0), [[5.0, -4.0, 1.0, 2.0], [4.0, -5.0, 3.0, 1.0]]
    )
    assert (logged["real_accuracy"], logged["fake_accuracy"]) == (0.75, 0.75)


def test_the_color_loss_begins_the_run_alone():
    model, progress = make_system("system.color_first=0.25", "optim.accumulate=2"), 0.2
    model.progress = lambda: progress
    first, discriminator = weights(model.model), weights(model.discriminator)
    model.train_batch(batch())
    second = weights(model.model)
    assert not same(first, model.model)
    assert same(discriminator, model.discriminator)
    progress = 0.25
    model.train_batch(batch())
    assert not same(second, model.model)
    assert not same(discriminator, model.discriminator)


def test_the_first_steps_are_those_of_the_color_loss():
    settings = ["net.norm=none", "optim.optimizer=sgd", "optim.lr=0.01"]
    supervised = make_system("system=supervised", *settings)
    first = make_system("system.color_first=0.5", *settings)
    first.progress = lambda: 0.0
    first.model.load_state_dict(supervised.model.state_dict())
    pictures = batch()
    for model in (supervised, first):
        model.train_batch(pictures)
    assert all(map(torch.equal, weights(supervised.model), weights(first.model)))


@pytest.mark.parametrize("share", [-0.1, 1])
def test_a_share_of_the_run_outside_its_range_is_refused(share):
    with pytest.raises(UserError, match=rf"color_first={float(share)}: a share of the run"):
        make_system(f"system.color_first={share}")


def test_the_discriminators_schedule_begins_with_its_first_step(tiny_train, tmp_path):
    assert tiny_train("system.color_first=0.5", "optim.warmup=50", "trainer.max_epochs=2") == 0
    with (tmp_path / "run/metrics.csv").open() as file:
        first, second = csv.DictReader(file)
    assert first["train/discriminator_lr"] == "" and float(first["train/generator_lr"]) > 0
    assert second["train/discriminator_lr"] == first["train/generator_lr"] != second["train/generator_lr"]
