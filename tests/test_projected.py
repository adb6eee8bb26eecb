from types import SimpleNamespace

import pytest
import torch

from colorgan import config
from colorgan.discriminators.projected import Projected
from colorgan.errors import UserError
from colorgan.systems import TABLES
from colorgan.systems.building import build
from tests.conftest import TINY, tiny
from tests.probing import lab

BODY = "resnet10t"


def make(**options):
    return Projected(3, **{"pretrained": False, "body": BODY, "width": 4, **options})


@pytest.fixture
def classifier(tmp_path):
    """Saves the checkpoint of a classifier that sees color, or gray; returns its path and its averaged net."""

    def save(color=True):
        items = [f"system.color={color}", f"system.body={BODY}", "system.classes=3", *tiny("experiments/judge.yaml")]
        experiment = config.load("experiments/judge.yaml", [i for i in items if "width" not in i], TABLES)
        model = build(experiment, fresh=False)
        for p in model.ema.parameters():
            p.data.normal_(0, 0.1)
        torch.save({"experiment": config.plain(experiment), "state_dict": model.state_dict()}, tmp_path / "body.ckpt")
        return str(tmp_path / "body.ckpt"), model.average

    return save


@pytest.mark.parametrize("height, width", [(32, 32), (37, 91), (8, 64)])
def test_each_feature_map_gives_logits(height, width):
    discriminator = make()
    assert discriminator(discriminator.features(lab(2, height, width))).shape == (2, 4, 8, 8)


def test_each_map_has_the_same_say():
    discriminator, said = make(), []
    for critic in discriminator.critics:
        critic.register_forward_hook(lambda module, inputs, out: said.append(out))
    logits = discriminator(discriminator.features(lab(2)))
    assert [out.shape[-1] for out in said] == [8, 4, 2, 1]
    torch.testing.assert_close(logits.mean(), torch.stack([out.mean() for out in said]).mean())


def test_features_change_the_more_the_further_a_color_is_outside_srgb():
    discriminator = make()
    cyan = torch.tensor([96.0, -60.0, -20.0])[:, None, None].expand(1, 3, 32, 32)
    near, far = (discriminator.features(cyan * torch.tensor([1, x, x])[:, None, None])[0] for x in (1.0, 1.5))
    assert (near - far).abs().mean() > 0.1 * near.abs().mean()


def test_the_body_is_the_averaged_net_of_our_classifier(classifier):
    path, net = classifier()
    body = make(weights=path).body
    for name, value in net.named_parameters():
        if not name.startswith("fc."):
            assert torch.equal(body.get_parameter(name), value)


def test_a_classifier_that_sees_no_color_is_refused(classifier):
    path, _ = classifier(color=False)
    with pytest.raises(UserError, match=r"sees no color; experiments/judge\.yaml"):
        make(weights=path)


def test_weights_that_are_missing_are_one_line_with_the_way_out(tmp_path):
    with pytest.raises(UserError, match=r"a\.ckpt: no such file of weights; .*weights=null"):
        make(weights=str(tmp_path / "a.ckpt"))


@pytest.mark.parametrize("wrong", [{"size": 0}, {"width": 0}])
def test_a_size_of_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="=".join(map(str, *wrong.items()))):
        make(**wrong)


def test_a_body_of_few_feature_maps_is_refused():
    with pytest.raises(ValueError, match="body=visformer_tiny: has no 4 feature maps"):
        make(body="visformer_tiny")


def test_mixing_shows_the_critics_all_channels_of_a_map_at_once():
    plain, mixed = make(), make(mixing=True)
    mixed.body.load_state_dict(plain.body.state_dict())
    maps, mixtures = plain.eval().features(x := lab(2)), mixed.eval().features(x)
    for features, mixture, mixer in zip(maps, mixtures, mixed.mixers, strict=True):
        kernel = mixer.weight[..., 0, 0]
        torch.testing.assert_close(mixture, torch.einsum("oc,bchw->bohw", kernel, features), rtol=1e-4, atol=1e-4)
        assert kernel.std().item() == pytest.approx((2 / len(kernel)) ** 0.5, rel=0.05)  # Kaiming
    assert mixed(mixtures).shape == plain(maps).shape


def test_without_mixing_there_are_no_mixers():
    assert not [name for name in make().state_dict() if "mixers" in name]


def test_mixtures_are_part_of_a_checkpoint_and_lead_gradients_to_the_color():
    first, second = make(mixing=True).eval(), make(mixing=True).eval()
    assert not torch.equal(first.mixers[0].weight, second.mixers[0].weight)
    second.load_state_dict(first.state_dict())
    x = lab(2).requires_grad_()
    assert torch.equal(first(first.features(x)), second(second.features(x)))
    first(first.features(x)).sum().backward()
    assert x.grad[:, 1:].any()
    assert all(mixer.weight.grad is None for mixer in first.mixers)


@pytest.mark.parametrize("mixing", ["false", "true"])
def test_training_changes_the_critics_and_never_the_body(mixing):
    items = [*TINY, "discriminator=projected", f"discriminator.body={BODY}", "pretrained=false"]
    items.append(f"discriminator.mixing={mixing}")
    model = build(config.load("experiments/gan.yaml", items, TABLES), fresh=True).train()
    optimizers, _ = model.configure_optimizers()
    model.optimizers = lambda: optimizers
    model._trainer = SimpleNamespace(optimizers=optimizers)
    model.manual_backward = lambda loss: loss.backward()
    model.log_train = lambda values, share=1.0: None
    before = {name: value.clone() for name, value in model.discriminator.state_dict().items()}
    for _ in range(2):
        model.train_batch({"rgb": torch.rand(2, 3, 32, 32)})
    changed = {k for k, v in model.discriminator.state_dict().items() if not torch.equal(v, before[k])}
    assert changed and not [name for name in changed if not name.startswith("critics.")]
    assert not [p for p in model.discriminator.body.parameters() if p.requires_grad]


def test_a_body_without_weights_is_told(caplog):
    items = [*TINY, "discriminator=projected", f"discriminator.body={BODY}", "pretrained=false"]
    build(config.load("experiments/gan.yaml", items, TABLES), fresh=True)
    assert "the body of 'projected' starts from random weights" in caplog.text
