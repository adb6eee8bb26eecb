import pytest
import torch
from torch import nn

from colorgan.discriminators.patchgan import PatchGAN
from colorgan.nets import NETS
from colorgan.nets.blocks import same_padding
from colorgan.nets.unet import UNet
from tests.probing import descend, gray, net_of, parameters, silent_leaves, spectral_layers, without_gradient

NORMS = ["batch", "instance", "spectral", "none"]


def dropouts(net):
    """For each decoder of a U-Net: its dropout, if it has one."""
    return [next((m.p for m in layer.modules() if isinstance(m, nn.Dropout)), 0.0) for layer in net.decoder]


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("height, width", [(37, 91), (1, 1), (5, 200), (64, 32), (33, 2)])
@pytest.mark.parametrize("training", [True, False])
def test_a_net_gives_the_channels_of_its_codec_at_any_height_and_width(name, height, width, training):
    out = net_of(name).train(training)(gray(2, height, width))
    assert out.shape[:2] == (2, 2)
    assert 1 <= out.shape[2] <= height and 1 <= out.shape[3] <= width
    assert out.isfinite().all()


@pytest.mark.parametrize("name", NETS)
def test_a_net_trains_all_its_weights(name):
    net = net_of(name)
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d) and m.affine):
        nn.init.ones_(norm.weight)  # a residual block that starts as the identity passes no gradient yet
    descend(net, gray(4))
    assert not without_gradient(net)
    assert all(p.grad.isfinite().all() for p in net.parameters() if p.requires_grad)


@pytest.mark.parametrize("name", NETS)
def test_a_net_uses_all_its_layers(name):
    net = net_of(name)
    assert not silent_leaves(net, net, gray(2))


@pytest.mark.parametrize("name", NETS)
def test_a_net_ends_linear(name):
    net = net_of(name).eval()
    for p in net.parameters():
        p.data.mul_(3 if p.requires_grad else 1)
    out = net(gray(4))
    assert out.min() < 0 < out.max()


@pytest.mark.parametrize("name", NETS)
def test_a_picture_gets_the_same_color_alone_and_in_a_batch(name):
    net, L = net_of(name).double(), gray(5, 40, 50).double()
    net(L)  # so that running statistics are not those of a fresh net
    net.eval()
    torch.testing.assert_close(net(L), torch.cat([net(one[None]) for one in L]))


@pytest.mark.parametrize("size, count", [(32, 16_654_851), (256, 42_023_811)])
def test_the_unet_is_as_large_as_the_papers(size, count):
    with torch.device("meta"):
        assert parameters(UNet(3, size)) == count


@pytest.mark.parametrize(
    "size, widths",
    [
        (32, [1, 2, 4, 8, 8]),
        (64, [1, 2, 4, 8, 8, 8]),
        (128, [1, 2, 4, 8, 8, 8, 8]),
        (256, [1, 1, 2, 4, 8, 8, 8, 8]),
        (512, [1, 1, 2, 4, 8, 8, 8, 8, 8]),
    ],
)
def test_the_unet_has_the_widths_of_its_size(size, widths):
    convolutions = [m for m in UNet(2, size, width=1).encoder.modules() if isinstance(m, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == widths


@pytest.mark.parametrize("size", [32, 64, 128])
def test_the_unet_narrows_to_two_pixels(size):
    shapes = []
    net = UNet(2, size, width=1)
    for layer in net.encoder:
        layer.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[2:])))
    net(gray(2, size, size))
    assert shapes == [(size >> i, size >> i) for i in range(len(shapes))] and shapes[-1] == (2, 2)


@pytest.mark.parametrize("height, width", [(37, 91), (1, 1), (5, 200)])
@pytest.mark.parametrize("norm", NORMS)
def test_the_unet_keeps_height_and_width(height, width, norm):
    assert UNet(2, 32, 4, norm)(gray(2, height, width)).shape == (2, 2, height, width)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("cls, args", [(UNet, (2, 32, 4)), (PatchGAN, (1, 4))])
def test_each_norm_trains(cls, args, norm):
    net = cls(*args, norm=norm)
    descend(net, gray(4) if cls is UNet else [gray(4)])
    assert not without_gradient(net)


def test_without_a_norm_the_biases_train_too():
    net = UNet(2, 32, 4, "none")
    descend(net, gray(4))
    assert all(p.grad.any() for p in net.parameters())


@pytest.mark.parametrize("cls, args", [(UNet, (2, 32)), (PatchGAN, (3,))])
def test_an_unknown_norm_is_refused(cls, args):
    with pytest.raises(ValueError, match="norm=layer: there are batch, instance, spectral, none"):
        cls(*args, norm="layer")


@pytest.mark.parametrize("size", [48, 16, 0, -32, None])
def test_the_unet_refuses_a_size_that_it_cannot_halve(size):
    with pytest.raises(ValueError, match=f"size={size}: this net trains on a power of two from 32 up; set net.size"):
        UNet(2, size)


@pytest.mark.parametrize("cls, args", [(UNet, (2, 32, 8)), (PatchGAN, (1, 8))])
def test_spectral_norm_bounds_the_largest_singular_value(cls, args):
    net = cls(*args, norm="spectral")
    for layer in spectral_layers(net):
        layer.parametrizations.weight.original.data.mul_(100)
    for _ in range(30):
        net(gray(2) if cls is UNet else [gray(2)])
    net.eval()
    for layer in spectral_layers(net):
        weight = layer.weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else layer.weight
        assert torch.linalg.matrix_norm(weight.flatten(1), 2) < 1.05


def test_spectral_norm_holds_for_each_layer_of_the_patchgan():
    assert len(spectral_layers(PatchGAN(3, 4, "spectral"))) == 5


@pytest.mark.parametrize("cls, args, layers", [(UNet, (2, 32, 4), 9), (PatchGAN, (3, 4), 3)])
def test_batch_norm_is_where_the_paper_has_it(cls, args, layers):
    assert sum(isinstance(m, nn.BatchNorm2d) for m in cls(*args).modules()) == layers


@pytest.mark.parametrize("size, pattern", [(32, [0.5, 0.5, 0, 0]), (256, [0.5, 0.5, 0.5, 0, 0, 0, 0])])
def test_dropout_is_on_the_first_decoders_only(size, pattern):
    assert dropouts(UNet(2, size, 1, dropout=0.5)) == pattern


def test_dropout_acts_in_training_only():
    net, L = UNet(2, 32, 4, norm="none", dropout=0.5), gray(1)
    assert not torch.equal(net(L), net(L))
    net.eval()
    assert torch.equal(net(L), net(L))


def test_same_padding_is_tensorflows():
    padded = same_padding()(torch.ones(1, 1, 5, 5))
    assert padded.shape[2:] == (8, 8) and padded[..., 1:6, 1:6].all()


def test_a_patch_is_70_pixels_wide():
    x = torch.randn(1, 3, 128, 128, requires_grad=True)
    PatchGAN(3, 4, "none")([x])[0, 0, 8, 8].backward()
    rows, columns = (x.grad.abs().sum((0, 1, axis)).nonzero() for axis in (3, 2))
    assert (len(rows), len(columns)) == (70, 70)
