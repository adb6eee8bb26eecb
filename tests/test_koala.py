"""The layers of deep-koalarization, beside what tests/test_nets.py asks of every net."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from colorgan.nets.koala import Koala, _ConvReLU


def koala(body="resnet10t", **more):
    return Koala(2, pretrained=False, body=body, **{"logits": 7, "body_size": 32, "width": 4} | more)


def inputs_of(module, call):
    """What a module gets while `call` runs."""
    got = []
    with module.register_forward_pre_hook(lambda _, inputs: got.append(inputs[0])):
        call()
    return got


def gray(batch=2, height=32, width=48):
    return 100 * torch.rand(batch, 1, height, width)


def test_the_encoder_has_the_layers_of_the_paper():
    with torch.device("meta"):
        encoder = koala(width=64).encoder
    convs = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    assert [m.in_channels for m in convs] == [1, 64, 128, 128, 256, 256, 512, 512]
    assert [m.out_channels for m in convs] == [64, 128, 128, 256, 256, 512, 512, 256]
    assert [m.stride[0] for m in convs] == [2, 1, 2, 1, 2, 1, 1, 1]


def test_the_decoder_has_the_layers_of_the_paper():
    with torch.device("meta"):
        decoder = koala(width=64).decoder
    kinds = [getattr(m, "out_channels", "up") for m in decoder.modules() if isinstance(m, nn.Conv2d | nn.Upsample)]
    assert kinds == [128, "up", 64, 64, "up", 32]


def test_a_stride_of_two_pads_right_and_bottom_alone():
    layer = _ConvReLU(1, 1, stride=2)
    layer.conv.weight.data.copy_(torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 0, 100]]))
    x = torch.arange(1.0, 17).view(1, 1, 4, 4)
    assert layer(x).tolist() == [[[[1 + 1100, 3], [9, 11]]]]


def test_a_stride_of_one_pads_all_sides():
    layer = _ConvReLU(1, 1)
    layer.conv.weight.data.copy_(torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 0, 100]]))
    assert layer(torch.tensor([[[[1.0, 2], [3, 4]]]])).tolist() == [[[[400, 0], [0, 1]]]]


def test_it_predicts_at_half_the_size():
    assert koala()(gray(2, 32, 48)).shape == (2, 2, 16, 24)


def test_the_body_sees_a_square_as_its_own_training_had_it():
    net = koala(body_size=40)
    net.body.pretrained_cfg.update(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))  # those of Inception-ResNet-v2
    L = torch.tensor([0.0, 100.0]).repeat_interleave(30).expand(1, 1, 50, 60)
    (seen,) = inputs_of(net.body, lambda: net(L))
    assert seen.shape == (1, 1, 40, 40)
    assert (seen.min().item(), seen.max().item()) == (-1, 1)


def test_the_encoder_sees_lightness_between_minus_one_and_one():
    net = koala()
    (seen,) = inputs_of(net.encoder, lambda: net(torch.tensor([0.0, 100.0]).repeat(4).expand(1, 1, 8, 8)))
    assert seen.unique().tolist() == [-1, 1]


def test_the_embedding_is_tiled_over_the_whole_picture():
    net, embedding = koala(), torch.randn(2, 7)
    (seen,) = inputs_of(net.fusion, lambda: net(gray(2, 32, 48), embedding))
    assert seen.shape == (2, 16 + 7, 4, 6)
    assert torch.equal(seen[:, 16:], embedding[:, :, None, None].expand(2, 7, 4, 6))


def test_a_known_embedding_spares_the_body_and_gives_the_same_color():
    net, L = koala().eval(), gray()
    known = net.embed(L)
    spared = []
    assert inputs_of(net.body, lambda: spared.append(net(L, known))) == []
    assert torch.equal(spared[0], net(L))


def test_another_embedding_gives_another_color():
    net, L = koala().eval(), gray()
    assert not torch.allclose(net(L, net.embed(L) + 5), net(L))


@pytest.mark.parametrize("body, width", [("resnet10t", 512), ("mobilenetv3_small_050", 1024)])
def test_features_are_what_the_classes_come_from(body, width):
    net = koala(body=body, embedding="features")
    assert net.embedding_width == width
    assert net.embed(gray()).shape == (2, width)
    assert net(gray()).isfinite().all()


def test_logits_are_as_many_as_the_classes():
    net = koala(logits=11)
    assert net.embedding_width == 11 and net.embed(gray()).shape == (2, 11)


def test_published_weights_have_a_thousand_classes():
    with pytest.raises(ValueError, match="logits=1001: published weights have 1000 classes"):
        Koala(2, pretrained=True, body="resnet10t", logits=1001)


def test_training_leaves_the_body_as_it_is():
    net = koala().train()
    before = {name: value.clone() for name, value in net.body.state_dict().items()}
    optimizer = torch.optim.SGD((p for p in net.parameters() if p.requires_grad), lr=1.0)
    F.mse_loss(net(gray()), torch.ones(2, 2, 16, 24)).backward()
    optimizer.step()
    torch.testing.assert_close(net.body.state_dict(), before, rtol=0, atol=0)
    assert net.training and not any(module.training for module in net.body.modules())


def test_the_body_is_part_of_the_checkpoint():
    state, L = koala().state_dict(), gray()
    first, second = koala().eval(), koala().eval()
    first.load_state_dict(state)
    second.load_state_dict(state)
    assert torch.equal(first.embed(L), second.embed(L))


def test_its_own_layers_start_from_glorots_weights():
    net = koala(width=16)
    trained = [net.encoder, net.fusion, net.decoder, net.head]
    for conv in (m for part in trained for m in part.modules() if isinstance(m, nn.Conv2d)):
        limit = math.sqrt(6 / (conv.kernel_size[0] ** 2 * (conv.in_channels + conv.out_channels)))
        assert 0.9 * limit < conv.weight.abs().max() <= limit
        assert not conv.bias.any()
