"""The CNN of Melas-Kyriazi and Han (report and code): ResNet-18 up to layer2, and six convolutions."""

from torch import Tensor, nn

from colorgan.nets.base import Net
from colorgan.nets.blocks import crop_to, pad_up
from colorgan.nets.bodies import make_body, standardize


class ResNet18(Net):
    """Predicts at a quarter of the size, from features at an eighth.

    The body has 676,800 parameters and the head, normalizations left out, 539,618 with two output channels. In the head
    each convolution but the last is normalized, then rectified.
    """

    def __init__(
        self,
        channels: int,
        pretrained: bool,
        weights: str | None = None,  # a checkpoint of our classifier, or a file of timm's weights, for the body
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
        """L (B, 1, H, W) in [0, 100], any H and W -> (B, channels, H/4, W/4), rounded up, linear."""
        body = self.body
        x = pad_up(standardize(L), 8, least=2)
        x = body.maxpool(body.act1(body.bn1(body.conv1(x))))
        return crop_to(self.head(body.layer2(body.layer1(x))), L, 4)


def _block(conv: nn.Conv2d | nn.ConvTranspose2d) -> tuple[nn.Module, ...]:
    return conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU()
