import pytest
import torch
import torch.nn.functional as F

from colorgan.nets.hypercolumn import Hypercolumn, _UnfoldConv2d


@pytest.fixture
def net():
    return Hypercolumn(3, pretrained=False, width=4).eval()


def dense(net, L):
    """Hypercolumns of all pixels of a picture, as the paper defines them: each layer resized to the picture."""
    columns = [F.interpolate(x, L.shape[-2:], mode="bilinear") for x in net._feature_maps(L)]
    first = sum(layer(column) for layer, column in zip(net.first, columns, strict=True))
    return net.head(F.relu(first))


def test_sampled_pixels_are_those_of_the_dense_hypercolumns(net):
    L = 100 * torch.rand(2, 1, 64, 96)
    points = torch.stack([torch.randint(64, (2, 50)), torch.randint(96, (2, 50))], dim=2)
    rows, columns = points.unbind(dim=2)
    expected = torch.stack([dense(net, L)[i, :, rows[i], columns[i]] for i in range(2)])[:, :, None]
    torch.testing.assert_close(net.forward_at(L, points), expected, rtol=1e-4, atol=1e-5)


def test_a_point_keeps_its_place_in_a_picture_that_has_to_be_padded(net):
    L = 100 * torch.rand(1, 1, 40, 50)
    points = torch.tensor([[[39, 49], [0, 0]]])
    padded = F.pad(L, (0, 14, 0, 24), mode="replicate")
    torch.testing.assert_close(net.forward_at(L, points), net.forward_at(padded, points))


def test_the_picture_as_a_whole_agrees_with_its_points(net):
    L = torch.full((1, 1, 64, 64), 30.0)  # flat, so that resizing changes nothing within
    L[..., 32:] = 70
    points = torch.tensor([[[4 * i + 1, 4 * j + 1] for i in range(16) for j in range(16)]])
    whole, sampled = net(L).flatten(2), net.forward_at(L, points)[:, :, 0]
    assert torch.corrcoef(torch.stack([whole.flatten(), sampled.flatten()]))[0, 1] > 0.95


def test_dropout_acts_in_training_alone():
    net = Hypercolumn(3, pretrained=False, width=4)
    L, points = 100 * torch.rand(1, 1, 32, 32), torch.zeros(1, 1, 2, dtype=torch.int64)
    assert not torch.equal(net.forward_at(L, points), net.forward_at(L, points))
    net.eval()
    assert torch.equal(net.forward_at(L, points), net.forward_at(L, points))


def test_autocast_leaves_the_points_in_their_places(net):
    L, points = 100 * torch.rand(1, 1, 32, 1024), torch.stack([torch.zeros(100), torch.arange(900, 1000)], dim=1).long()
    expected = net.forward_at(L, points[None])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = net.forward_at(L, points[None])
    assert (found - expected).square().mean() < 0.03**2 * expected.var()


@pytest.mark.parametrize("wrong", [{"points": 0}, {"width": 0}])
def test_a_net_of_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match=rf"{next(iter(wrong))}=0"):
        Hypercolumn(3, pretrained=False, **{"width": 4} | wrong)


def test_the_product_of_fc6_is_a_padded_convolution():
    conv = torch.nn.Conv2d(5, 6, 7)
    x = torch.randn(2, 5, 3, 4)
    torch.testing.assert_close(_UnfoldConv2d(conv)(x), F.conv2d(x, conv.weight, conv.bias, padding=3))
