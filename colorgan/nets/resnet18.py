"""The CNN of Melas-Kyriazi and Han (report and code)."""

from torch import Tensor, nn

from colorgan.nets.base import Net
from colorgan.nets.blocks import crop_padding, pad_to_multiple
from colorgan.nets.bodies import make_body, standardize


class ResNet18(Net):
    """ResNet-18 up to layer2, and a head of six convolutions; predicts at a quarter of the resolution.

    The features of the body have an eighth of the resolution. Each convolution of the head but the last is followed by
    batch normalization and ReLU. The body has 676,800 parameters, and the head 539,618 with two output channels, not
    counting its normalization layers.
    """

    def __init__(
        self,
        channels: int,
        pretrained: bool,
        weights: str | None = None,  # path of a checkpoint of our classifier, or of weights of timm, for the body
    ):
        super().__init__()
        self.body = make_body("resnet18", pretrained, weights, num_classes=0, zero_init_last=False)
        del self.body.layer3, self.body.layer4, self.body.global_pool, self.body.fc
        self.head = nn.Sequential(
            *_block(nn.ConvTranspose2d(128, 128, 4, 2, 1)),
            *_block(nn.Conv2d(128, 128, 3, 1, 1)),
            *_block(nn.Conv2d(128, 64, 3, 1, 1)),
            *_block(nn.Conv2d(64, 64, 3, 1, 1)),
            *_block(nn.Conv2d(64, 32, 3, 1, 1)),
            nn.Conv2d(32, channels, 3, 1, 1),
        )

    def forward(self, L: Tensor) -> Tensor:
        """Map L (B, 1, H, W) in [0, 100] to (B, channels, ceil(H / 4), ceil(W / 4))."""
        body = self.body
        x = pad_to_multiple(standardize(L), 8, min_multiples=2)
        x = body.maxpool(body.act1(body.bn1(body.conv1(x))))
        return crop_padding(self.head(body.layer2(body.layer1(x))), L, 4)


def _block(conv: nn.Conv2d | nn.ConvTranspose2d) -> tuple[nn.Module, ...]:
    """Return a convolution with batch normalization and ReLU."""
    return conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU()
