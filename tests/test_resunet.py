import pytest
import torch

from colorgan.nets.patchgan import PatchGAN
from colorgan.nets.resunet import ResUNet


def test_color_is_predicted_at_half_the_size():
    assert ResUNet(2, width=4)(torch.rand(1, 1, 64, 37)).shape == (1, 2, 32, 19)


def test_it_is_small():
    with torch.device("meta"):
        assert sum(p.numel() for p in ResUNet(2).parameters()) == 6_871_586


def test_a_block_starts_as_the_identity():
    net = ResUNet(2, width=4, blocks=1)
    x = torch.rand(1, 4, 8, 8)
    assert torch.equal(net.encoder[0](x), x)


@pytest.mark.parametrize("wrong", [{"width": 0}, {"blocks": 0}])
def test_a_net_of_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}=0"):
        ResUNet(2, **wrong)


def test_a_discriminator_may_see_a_smaller_picture():
    large, small = torch.rand(1, 3, 64, 64), PatchGAN(3, 4, shrink=2)
    plain = PatchGAN(3, 4)
    plain.load_state_dict(small.state_dict())
    shrunk = torch.nn.functional.avg_pool2d(large, 2)
    assert torch.equal(small.eval()(large), plain.eval()(shrunk))
    with pytest.raises(ValueError, match="shrink=0"):
        PatchGAN(3, shrink=0)
