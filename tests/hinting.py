"""A colorizer that does exactly what hints say, and one with a real net that takes them."""

import torch

from colorgan.codecs.regress import Regress
from colorgan.colorizer.colorizer import Colorizer
from colorgan.nets.base import HintedNet
from colorgan.nets.encoder_unet import EncoderUNet


class Obedient(HintedNet):
    """Paints the color of each hint at its pixels, gray elsewhere; it is unsure where it is bright without a hint."""

    takes_hints = True

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))  # tells the device
        self.batches = []

    def forward(self, L, hints=None):
        hints = torch.zeros(len(L), 3, *L.shape[-2:]) if hints is None else hints
        self.batches.append(len(L))
        unsure = (L / 20 - 5) * (1 - hints[:, 2:]) - 9 * hints[:, 2:]
        return torch.cat([hints[:, :2] / 110, unsure], dim=1)


def obedient(size=32):
    return Colorizer(Obedient(), Regress(activation="linear", uncertainty=True), size).eval()


def encoder(**options):
    net = EncoderUNet(3, pretrained=False, body="test_resnet.r160_in1k", width=4, hints=True, **options)
    net.head.reset_parameters()  # it would start gray
    return Colorizer(net, Regress(uncertainty=True), 32).eval()
