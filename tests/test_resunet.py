import pytest
import torch

from colorgan.nets.compact import Compact
from colorgan.nets.resunet import ResUNet


def test_color_is_predicted_at_a_quarter_of_the_size():
    assert ResUNet(2, width=4)(torch.rand(1, 1, 64, 37)).shape == (1, 2, 16, 10)


def test_it_is_small():
    with torch.device("meta"):
        assert sum(p.numel() for p in ResUNet(2).parameters()) == 3_930_946


def test_a_block_starts_as_the_identity():
    net = ResUNet(2, width=4, blocks=1)
    x = torch.rand(1, 4, 8, 8)
    assert torch.equal(net.encoder[0](x), x)


@pytest.mark.parametrize("wrong", [{"width": 1}, {"blocks": 0}])
def test_a_net_of_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="=".join(map(str, *wrong.items()))):
        ResUNet(2, **wrong)


def test_the_compact_discriminator_gives_a_logit_for_each_16_pixels():
    assert Compact(3, width=4)(torch.rand(2, 3, 64, 37)).shape == (2, 1, 4, 3)
    with pytest.raises(ValueError, match="width=0"):
        Compact(3, width=0)


def test_it_sees_each_pixel_of_lightness_and_the_mean_of_color():
    judge = Compact(3, width=4).eval()
    x = torch.rand(1, 3, 32, 32)
    for channel, moved in ((0, True), (1, False)):
        rolled = x.clone()  # the same values in another order within each 4x4
        rolled[:, channel] = x[:, channel].unflatten(1, (8, 4)).flip(2).flatten(1, 2)
        assert torch.allclose(judge(x), judge(rolled), atol=1e-6) is not moved
