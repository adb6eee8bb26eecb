"""The nets, by the names that experiments use; they map lightness to an output, which a codec decodes to color."""

from colorgan.nets.encoder_unet import EncoderUNet
from colorgan.nets.fusion import Fusion
from colorgan.nets.hypercolumn import Hypercolumn
from colorgan.nets.iizuka import Iizuka
from colorgan.nets.koala import Koala
from colorgan.nets.resnet18 import ResNet18
from colorgan.nets.resunet import ResUNet
from colorgan.nets.unet import UNet
from colorgan.nets.zhang import Zhang

NETS = {
    "unet": UNet,
    "resunet": ResUNet,
    "encoder_unet": EncoderUNet,
    "zhang": Zhang,
    "resnet18": ResNet18,
    "hypercolumn": Hypercolumn,
    "iizuka": Iizuka,
    "fusion": Fusion,
    "koala": Koala,
}
