"""Everything that runs on a device, on fake CUDA tensors: a tensor that was left on the CPU fails the test."""

from typing import get_args

import pytest
import torch

from colorgan import color
from colorgan.codecs import CODECS
from colorgan.codecs.histograms import Histograms
from colorgan.colorizer.upsampling import Upsampling
from colorgan.discriminators import DISCRIMINATORS
from colorgan.losses import ADVERSARIAL
from colorgan.nets import NETS
from colorgan.nets.blocks import Norm
from colorgan.systems import SYSTEMS
from tests.faking import backward, batch_on_cuda, bfloat16, data_on_cuda, fake_cuda, system_on_cuda

SUPERVISED = {  # what each net is trained with, and how it is made small
    "encoder_unet": ["net.body=test_efficientnet", "net.hints=true", "system.hint_share=0.5", "codec.uncertainty=true"],
    "zhang": ["codec=bins"],
    "resnet18": ["codec=axis_bins"],
    "hypercolumn": ["codec=histograms"],
    "iizuka": ["net.global_size=32", "net.classes=3", "system.scene_weight=0.1"],
    "koala": ["net.body=resnet10t", "net.body_size=32"],
}
ADVERSARIAL_CODECS = {  # with a decoding that has a gradient
    "regress": [],
    "bins": [],
    "axis_bins": [],
    "histograms": ["codec.space=lab", "codec.decoding=expectation"],
}
SPACES = ("hue_chroma", "lab", "lab_joint")


@pytest.fixture(autouse=True)
def on_cuda(monkeypatch):
    for name in ("CHROMA_BISECTIONS", "OFFSET_BISECTIONS"):
        monkeypatch.setattr(color, name, 1)  # further steps are the same operations
    with fake_cuda():
        yield


def train(*overrides):
    """A system after one step."""
    model = system_on_cuda(*overrides)
    with bfloat16():
        model.train_batch(batch_on_cuda())
        model.ema.update_parameters(model.model)
    assert all(p.is_cuda and (p.grad is None or p.grad.is_cuda) for p in model.parameters())
    return model


def validate(model):
    with bfloat16(), torch.no_grad():
        model.eval().validation_step(batch_on_cuda(), 0)


def paint(model, **options):
    (painted,) = model.average.eval().paint([torch.rand(3, 20, 24)], **options)
    assert painted.shape == (3, 20, 24) and not painted.is_cuda


@pytest.mark.parametrize("name", NETS)
def test_a_net_with_its_codec(name):
    model = train("system=supervised", f"net={name}", *SUPERVISED.get(name, []))
    validate(model)
    paint(model)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_discriminator(name):
    body = ["discriminator.body=resnet10t"] if name == "projected" else []
    train("net=resunet", f"discriminator={name}", *body)


def test_mixing_and_a_gradient_penalty():
    body = ["discriminator.body=resnet10t", "discriminator.mixing=true"]
    loss = ["system.loss=relativistic", "system.real_label=1", "system.gradient_penalty=1"]
    train("net=resunet", "discriminator=projected", *body, *loss)


def test_a_depthwise_decoder_and_kept_statistics():
    paint(train("system=supervised", "net=encoder_unet", *SUPERVISED["encoder_unet"], "net.depthwise=true"))
    train("system=supervised", "net=encoder_unet", *SUPERVISED["encoder_unet"], "net.statistics=kept")


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_in_a_gan(name):
    train("net=resunet", "discriminator=compact", f"codec={name}", *ADVERSARIAL_CODECS[name])


@pytest.mark.parametrize("norm", get_args(Norm))
def test_a_norm(norm):
    paint(train(f"net.norm={norm}", f"discriminator.norm={norm}"))


@pytest.mark.parametrize("color", ["false", "true"])
def test_a_classifier(color):
    train(
        "system=classifier",
        "system.body=resnet10t",
        "system.classes=6",
        f"system.color={color}",
        "checkpoint.monitor=val/top1",
    )


def test_every_system_is_here():
    assert set(SYSTEMS) == {"supervised", "adversarial", "classifier"}


@pytest.mark.parametrize("optimizer", ["sgd", "adadelta", "muon"])
def test_an_optimizer(optimizer):
    train("system=supervised", "net=resunet", f"optim.optimizer={optimizer}")


@pytest.mark.parametrize("loss", ADVERSARIAL)
def test_an_adversarial_loss(loss):
    real, fake = (torch.randn(2, 1, 4, 4, device="cuda", requires_grad=True) for _ in range(2))
    for_discriminator, for_generator = ADVERSARIAL[loss]
    logits = [fake, real] if loss == "relativistic" else [fake]
    with bfloat16():
        backward(for_discriminator(real, fake, 1.0) + for_generator(*logits))
    assert real.grad.is_cuda


CODEC_CASES = [
    (name, arguments, decoding)
    for name, cls in CODECS.items()
    for arguments in ([{"space": space} for space in SPACES] if cls is Histograms else [{}])
    for decoding in getattr(cls, "decodings", [None])
]


@pytest.mark.parametrize("name, arguments, decoding", CODEC_CASES)
def test_a_decoding(name, arguments, decoding):
    codec = CODECS[name](**arguments).to("cuda")
    if decoding:
        codec.set_decoding(decoding, seed=1)
    out = torch.randn(2, codec.channels, 4, 4, device="cuda", dtype=torch.bfloat16)
    L, ab = 100 * torch.rand(2, 1, 8, 8, device="cuda"), torch.randn(2, 2, 8, 8, device="cuda")
    assert codec.decode(out, L).is_cuda
    assert codec.reconstruct(L, ab).is_cuda
    assert codec.loss(out, L, ab).is_cuda


@pytest.mark.parametrize("upsample", get_args(Upsampling))
def test_an_upsampler(upsample):
    paint(system_on_cuda("net=resunet", "system=supervised"), size=16, upsample=upsample)


def test_data_dependent_initialization():
    model = system_on_cuda("net=zhang", "codec=bins", "system=supervised")
    model.initialize(iter([batch_on_cuda(), batch_on_cuda()]))


def test_augmentation():
    data = data_on_cuda()
    batch = data.augment(batch_on_cuda(36, torch.uint8), torch.Generator().manual_seed(0))
    assert batch["rgb"].is_cuda and batch["rgb"].shape == (4, 3, 32, 32)
