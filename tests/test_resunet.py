import pytest
import torch

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


def test_the_border_of_a_picture_is_no_edge():
    net = ResUNet(2, width=4).eval()
    for norm in (module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        torch.nn.init.normal_(norm.weight)
    sky = torch.linspace(10, 60, 64)[:, None].expand(1, 1, 64, 96)  # the same from left to right
    color = net(sky)
    torch.testing.assert_close(color, color[..., :1].expand_as(color))


@pytest.mark.parametrize("wrong", [{"width": 1}, {"blocks": 0}])
def test_a_net_of_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="=".join(map(str, *wrong.items()))):
        ResUNet(2, **wrong)
