import pytest
import torch

from colorgan import config
from colorgan.color import join, split
from colorgan.errors import UserError
from colorgan.losses import ADVERSARIAL
from colorgan.systems import SYSTEMS, TABLES
from colorgan.systems.building import build
from colorgan.systems.colorization import Colorization
from tests.stepping import batch, make_system, same, weights


def test_the_discriminators_step_leaves_the_generator_as_it_is():
    model = make_system()
    part = model.make_part(batch(), 1.0)
    generator, discriminator = weights(model.model), weights(model.discriminator)
    fake = [features.detach() for features in model.generate(part).features]
    model.step_discriminator([part], [fake])
    assert same(generator, model.model)
    assert not same(discriminator, model.discriminator)


def test_the_generators_step_leaves_the_discriminator_as_it_is():
    model = make_system()
    part = model.make_part(batch(), 1.0)
    generator, discriminator = weights(model.model), weights(model.discriminator)
    model.step_generator([part], [model.generate(part)])
    assert not same(generator, model.model)
    assert same(discriminator, model.discriminator)
    assert all(parameter.grad is None for parameter in model.discriminator.parameters())


def test_one_pass_of_the_generator_serves_its_first_step_and_the_discriminator():
    passes = []
    model = make_system("system.generator_steps=3")
    model.model.net.register_forward_hook(lambda *_: passes.append(1))
    model.train_batch(batch())
    assert len(passes) == 3


@pytest.mark.parametrize("kind", ["adversarial", "supervised"])
@pytest.mark.parametrize("parts", [2, 3])
def test_a_batch_in_parts_takes_the_same_step(kind, parts):
    settings = [f"system={kind}", "net.norm=none", "discriminator.norm=none", "optim.optimizer=sgd", "optim.lr=0.01"]
    whole, split_up = make_system(*settings), make_system(*settings, f"optim.accumulate={parts}")
    split_up.load_state_dict(whole.state_dict())
    pictures = batch()
    for model in (whole, split_up):
        model.train_batch(pictures)
    for (name, one), other in zip(whole.named_parameters(), split_up.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6), name


def test_a_batch_in_parts_logs_the_means_over_its_pictures():
    settings = ["net.norm=none", "discriminator.norm=none"]
    whole, split_up = make_system(*settings), make_system(*settings, "optim.accumulate=3")
    split_up.load_state_dict(whole.state_dict())
    pictures, losses = batch(), []
    for model in (whole, split_up):
        del model.log_train
        model.train_batch(pictures)
        losses.append({key: float(value) for key, value in model.step_means().items() if "loss" in key})
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_batch_of_no_parts_is_refused():
    with pytest.raises(UserError, match=r"optim\.accumulate=0"):
        make_system("optim.accumulate=0")


@pytest.mark.parametrize("loss", ADVERSARIAL)
@pytest.mark.parametrize("color", ["l1", "mse"])
def test_every_loss_trains_to_finite_weights(loss, color):
    model = make_system(f"system.loss={loss}", "system.real_label=1", f"codec.loss={color}")
    for _ in range(2):
        model.train_batch(batch())
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_the_discriminators_rate_is_a_ratio():
    generator, discriminator = make_system("optim.lr=1e-3", "system.discriminator_lr=0.1").optimizers()
    assert (generator.param_groups[0]["lr"], discriminator.param_groups[0]["lr"]) == pytest.approx((1e-3, 1e-4))


def test_clipping_bounds_the_gradient():
    model = make_system("optim.clip=0.001")
    model.train_batch(batch())
    norm = torch.cat([parameter.grad.flatten() for parameter in model.model.net.parameters()]).norm()
    assert norm <= 0.00101


@pytest.mark.parametrize("clip", ["0", "-1"])
def test_a_clip_that_would_stop_or_turn_the_gradient_is_refused(clip):
    with pytest.raises(UserError, match=r"optim\.clip"):
        make_system(f"optim.clip={clip}")


@pytest.mark.parametrize(
    "metric, better", [("val/ab_error", "min"), ("val/psnr", "max"), ("val/color_distance", "min")]
)
def test_a_metric_chooses_epochs_where_its_better_values_lie(metric, better):
    assert make_system(f"checkpoint.monitor={metric}").monitor_mode == better


@pytest.mark.parametrize(
    "kind, metric", [("adversarial", "val/color_distance"), ("supervised", "val/ab_error"), ("classifier", "val/top1")]
)
def test_the_best_epoch_of_a_gan_is_not_its_dullest(kind, metric):
    settings = [f"system={kind}", "pretrained=false", *(["system.classes=2"] if kind == "classifier" else [])]
    assert build(config.load("experiments/gan.yaml", settings, TABLES), fresh=True).monitor == metric


@pytest.mark.parametrize("metric", ["val/typo", "val/top1"])
def test_a_metric_that_the_system_does_not_log_is_refused_before_training(metric):
    with pytest.raises(UserError, match=f"checkpoint.monitor={metric}: .* val/ab_error, val/psnr"):
        make_system(f"checkpoint.monitor={metric}")


@pytest.mark.parametrize("label", ["0", "1.1", "-1"])
def test_a_real_label_outside_its_range_is_refused(label):
    with pytest.raises(UserError, match="real_label"):
        make_system(f"system.real_label={label}")


def test_the_average_starts_at_the_net_and_then_lags_behind_it():
    model = make_system("system.ema=0.9")
    model.ema.update_parameters(model.model)
    start = weights(model.model)
    model.train_batch(batch())
    model.ema.update_parameters(model.model)
    share = 1 - 2 / 11  # after one step (1 + n) / (10 + n) is below the decay
    expected = [old + share * (new - old) for old, new in zip(start, model.model.parameters(), strict=True)]
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(expected, model.average.parameters(), strict=True))


@pytest.mark.parametrize("name", [name for name, cls in SYSTEMS.items() if issubclass(cls, Colorization)])
def test_one_picture_gets_the_colors_that_it_gets_in_a_batch(name):
    model = make_system(f"system={name}").average.eval()
    pictures = [torch.rand(3, 32, 32) for _ in range(3)]
    together = model.paint(pictures)
    alone = [model.paint([picture])[0] for picture in pictures]
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(together, alone, strict=True))


@pytest.mark.parametrize("shape", [(40, 90), (33, 31), (1, 300), (5, 5)])
def test_painting_keeps_size_and_lightness(shape):
    model = make_system().average.eval()
    torch.nn.init.normal_(model.net.head.weight, std=30)  # strong colors, beyond the gamut
    picture = torch.rand(3, *shape)
    (painted,) = model.paint([picture])
    assert painted.shape == picture.shape
    assert (split(painted[None])[0] - split(picture[None])[0]).abs().max() < 0.5


HINTED = ("net=encoder_unet", "net.body=test_efficientnet", "net.hints=true", "pretrained=false")


def given_hints(net):
    """A list of the hints that a net will be given."""
    hints = []
    net.register_forward_pre_hook(lambda module, inputs: hints.append(inputs[1]))
    return hints


def plain_colors(n=4):
    """A batch of pictures of a single color each, and these colors."""
    ab = 20 * torch.randn(n, 2, 1, 1)
    return {"rgb": join(torch.full((n, 1, 32, 32), 50.0), ab.expand(-1, -1, 32, 32))}, ab


@pytest.mark.parametrize("kind", ["adversarial", "supervised"])
@pytest.mark.parametrize("parts", [1, 2])
def test_each_part_of_a_batch_gets_hints_of_its_own_colors(kind, parts):
    model = make_system(*HINTED, f"system={kind}", "system.hint_share=1", f"optim.accumulate={parts}")
    pictures, ab = plain_colors()
    hints = given_hints(model.model.net)
    model.train_batch(pictures)
    drawn = torch.cat(hints[:parts])
    assert len(drawn) == 4 and drawn[:, 2].flatten(1).any(dim=1).all()
    torch.testing.assert_close(drawn[:, :2], ab * drawn[:, 2:], atol=0.05, rtol=0)
    # where the parts pass the generator again, they have the same hints
    again = torch.cat(hints[parts:]) if len(hints) > parts else drawn
    assert torch.equal(again, drawn)
    assert len(hints) == (2 * parts if kind == "adversarial" and parts > 1 else parts)


def test_some_pictures_get_hints_and_validation_none():
    model = make_system(*HINTED, "system.hint_share=0.5")
    hints, of_average = given_hints(model.model.net), given_hints(model.average.net)
    for _ in range(4):
        model.train_batch(batch(8))
    share = torch.cat(hints)[:, 2].flatten(1).any(dim=1).float().mean()
    assert 0.2 < share < 0.8
    model.average.eval()(torch.full((1, 1, 32, 32), 50.0))
    assert of_average == [None]


def test_no_share_draws_no_hints():
    model = make_system(*HINTED)
    hints = given_hints(model.model.net)
    model.train_batch(batch())
    assert hints == [None]


@pytest.mark.parametrize(("share", "lines"), [(0, 1), (0.5, 0)])
def test_a_net_that_does_not_learn_its_hints_is_named(caplog, share, lines):
    make_system(*HINTED, f"system.hint_share={share}")
    assert sum("does not learn what hints mean" in line for line in caplog.messages) == lines


@pytest.mark.parametrize("kind", ["adversarial", "supervised"])
@pytest.mark.parametrize(
    "items, line",
    [
        (["system.hint_share=1.5", *HINTED], r"hint_share=1\.5: a share"),
        (["system.hint_share=-0.1", *HINTED], r"hint_share=-0\.1: a share"),
        (["system.hint_share=0.5"], r"hint_share=0\.5: needs net=encoder_unet with net\.hints=true"),
        (["system.hint_share=0.5", *HINTED, "net.hints=false"], r"hint_share=0\.5: needs net=encoder_unet"),
    ],
)
def test_hints_that_cannot_be_are_one_line(kind, items, line):
    with pytest.raises(UserError, match=line):
        make_system(f"system={kind}", *items)
