"""A U-Net on a body of timm: which bodies it takes, what trains, and what hints change."""

import logging

import pytest
import timm
import torch
from torch import nn

from colorgan.codecs.regress import Regress
from colorgan.colorizer import checkpoint
from colorgan.colorizer.colorizer import Colorizer, Conditions
from colorgan.errors import UserError
from colorgan.nets.bodies import make_encoder
from colorgan.nets.encoder_unet import EncoderUNet
from colorgan.optim.averaging import ExponentialAverage
from tests.probing import gray

BODIES = ["test_convnext", "test_resnet", "test_efficientnet", "test_efficientnet_ln", "test_nfnet", "test_vit"]
BODY = "test_efficientnet"


def make(**options):
    """A net that does not start gray."""
    net = EncoderUNet(2, **{"pretrained": False, "body": BODY, "width": 4, **options})
    net.head.reset_parameters()
    return net


def moved(net):
    """The net with residual blocks that no longer start as the identity."""
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
    return net


def hint(L, row, column, color=(40.0, -30.0)):
    """One hint of 3x3 pixels in each picture."""
    hints = torch.zeros(len(L), 3, *L.shape[-2:])
    hints[..., row : row + 3, column : column + 3] = torch.tensor([*color, 1.0])[:, None, None]
    return hints


def test_a_new_net_paints_gray():
    net, L = EncoderUNet(2, pretrained=False, body=BODY, width=4, hints=True), gray(2)
    assert not net(L).any() and not net(L, hint(L, 8, 8)).any()


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("hints", [False, True])
def test_a_step_reaches_each_weight(body, hints):
    net, L = make(body=body, hints=hints), gray(2, 37, 50)  # a weight without gradient stops DistributedDataParallel
    net(L, hint(L, 8, 8) if hints else None).square().mean().backward()
    assert not [name for name, p in net.named_parameters() if p.requires_grad and p.grad is None]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("stride, shape", [(4, (10, 23)), (2, (19, 46))])
def test_each_body_gives_the_output_stride(body, stride, shape):
    assert make(body=body, output_stride=stride)(gray(2, 37, 91)).shape == (2, 2, *shape)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("height, width", [(1, 1), (5, 100), (64, 32)])
def test_each_body_takes_any_size(body, height, width):
    out = make(body=body, hints=True).eval()(gray(1, height, width))
    assert out.shape == (1, 2, -(-height // 4), -(-width // 4)) and out.isfinite().all()


@pytest.mark.parametrize(
    "body, line",
    [
        ("test_maxvit", "pictures of a single size"),
        ("test_mambaout", "feature maps are not"),  # (B, H, W, C)
        ("inception_v3", "feature maps are not"),  # convolutions without padding
        ("eva02_tiny_patch14_224", "doubling its maps of 1/14 of the size never gives 1/4"),
        ("test_resnet0", "timm has no network"),
    ],
)
@pytest.mark.parametrize("pretrained", [False, True])
def test_a_body_that_does_not_fit_is_one_line(body, line, pretrained, monkeypatch):
    monkeypatch.setattr("timm.models._builder.load_pretrained", lambda *args, **options: None)
    with pytest.raises(ValueError, match=line):
        make(body=body, pretrained=pretrained)


@pytest.mark.parametrize("other, body", [("test_vit", "test_resnet"), ("test_resnet", "test_convnext")])
def test_weights_of_another_network_are_refused(tmp_path, other, body):  # timm would leave all its weights random
    torch.save(timm.create_model(other).state_dict(), tmp_path / "other.pth")
    with pytest.raises(UserError, match=rf"other\.pth: not weights of '{body}'"):
        make(body=body, weights=str(tmp_path / "other.pth"))


def test_a_body_is_made_for_training():
    assert make_encoder(BODY, pretrained=False).training


def test_weights_of_a_file_are_those_of_the_body_without_a_warning(tmp_path, caplog):
    published = timm.create_model(BODY)
    torch.save(published.state_dict(), tmp_path / "body.pth")
    body = make(weights=str(tmp_path / "body.pth")).body
    summed = published.conv_stem.weight.sum(dim=1, keepdim=True)
    torch.testing.assert_close(body.conv_stem.weight, summed)
    assert torch.equal(body.blocks[1][0].conv_exp.weight, published.blocks[1][0].conv_exp.weight)
    assert not caplog.records


def test_other_warnings_of_timm_reach_the_user(monkeypatch, caplog):
    log = logging.getLogger("timm.models._builder")
    monkeypatch.setattr("timm.models._builder.load_pretrained", lambda *args, **options: log.warning("Unable to load"))
    make(pretrained=True)
    assert "Unable to load" in caplog.messages
    log.warning("Unexpected keys")  # not about a body
    assert "Unexpected keys" in caplog.messages


def test_the_decoder_may_be_depthwise():
    plain, depthwise = (
        [m.groups for m in make(depthwise=each, body="test_resnet").stages.modules() if isinstance(m, nn.Conv2d)]
        for each in (False, True)
    )
    assert set(plain) == {1} and set(depthwise) == {1, 4, 8, 16}


@pytest.mark.parametrize("statistics, change", [("kept", False), ("trained", True)])
def test_batch_statistics_of_the_body(statistics, change):
    net = make(statistics=statistics)
    before = {name: value.clone() for name, value in net.body.named_buffers() if "running" in name}
    net(gray(2))
    assert before and all(torch.equal(net.body.get_buffer(name), value) != change for name, value in before.items())
    assert net.stages["4"].training  # the decoder's are always trained


def test_a_run_keeps_the_statistics_of_the_body(tiny_train, tmp_path):
    net = ["net=encoder_unet", f"net.body={BODY}", "net.statistics=kept", "pretrained=false"]
    assert tiny_train("system=supervised", *net, "trainer.max_epochs=2") == 0  # a validation lies between
    state = checkpoint.read(tmp_path / "run/last.ckpt")["state_dict"]
    means = [value for name, value in state.items() if "model.net.body" in name and "running_mean" in name]
    assert means and not any(value.any() for value in means)


def test_kept_statistics_train_the_weights_all_the_same():
    net = make(statistics="kept", width=16)
    net(gray(2)).square().mean().backward()
    assert all(p.grad.any() for p in net.body.parameters())


def test_no_hints_are_hints_of_nothing():
    net, L = moved(make(hints=True)).eval(), gray(2, 37, 50)
    assert torch.equal(net(L), net(L, torch.zeros(2, 3, 37, 50)))


def test_hints_change_the_output_around_them_alone():
    net, L = moved(make(hints=True)).eval(), gray(1, 32, 640)
    change = (net(L, hint(L, 10, 8)) - net(L)).abs().amax(dim=(0, 1, 2))
    assert change[:4].min() > 1e-4  # there
    assert change[-40:].max() == 0  # far away


def test_hints_of_one_picture_leave_the_others_as_they_are():
    net, L = moved(make(hints=True)).eval(), gray(2)
    hints = hint(L, 4, 4)
    hints[1] = 0
    assert [torch.equal(*outs) for outs in zip(net(L), net(L, hints), strict=True)] == [False, True]


def test_the_color_of_a_hint_and_its_presence_count():
    net, L = moved(make(hints=True)).eval(), gray(1)
    outs = [net(L), *(net(L, hint(L, 4, 4, color)) for color in ((0.0, 0.0), (40.0, 0.0), (0.0, 40.0)))]
    assert all((one - other).abs().max() > 1e-4 for i, one in enumerate(outs) for other in outs[:i])


def test_a_large_hint_is_no_stronger_than_a_small_one():
    net, seen = make(hints=True).eval(), []
    net.hints["32"].register_forward_hook(lambda module, inputs, out: seen.append(inputs[0]))
    L = gray(1)
    for size in (1, 9):
        hints = torch.zeros(1, 3, 32, 32)
        hints[..., :size, :size] = torch.tensor([10.0, -40.0, 1.0])[:, None, None]
        net(L, hints)
    for hints in seen:
        torch.testing.assert_close(hints.flatten(), torch.tensor([0.5, -2.0, 1.0]))


def test_a_picture_with_hints_gets_the_same_color_again_and_in_any_batch():
    net, L = moved(make(hints=True)).eval().double(), gray(3).double()
    hints = hint(L, 4, 20).double()
    assert torch.equal(net(L, hints), net(L, hints))
    torch.testing.assert_close(net(L, hints), torch.cat([net(L[i : i + 1], hints[i : i + 1]) for i in range(3)]))


def test_a_net_without_hints_takes_none():
    net, L = make().eval(), gray(1)
    assert not net.takes_hints and not len(net.hints)
    assert torch.equal(net(L, hint(L, 4, 4)), net(L))


def test_a_colorizer_gives_its_net_the_hints():
    colorizer, L = Colorizer(moved(make(hints=True)), Regress(), 32).eval(), gray(1)
    hints = hint(L, 4, 4)
    assert torch.equal(colorizer.run_net(Conditions(L, hints=hints)), colorizer.net(L, hints))


def test_the_average_takes_hints_and_lags_behind():
    colorizer, L = Colorizer(make(hints=True), Regress(), 32), gray(1)
    average = ExponentialAverage(colorizer, 0.5)
    average.update_parameters(colorizer)
    for p in colorizer.net.hints.parameters():
        p.data.add_(2.0)
    before = {name: p.clone() for name, p in average.module.net.hints.named_parameters()}
    average.update_parameters(colorizer)
    for name, p in average.module.net.hints.named_parameters():
        assert (before[name] < p).all() and (p < colorizer.net.hints.get_parameter(name)).all()
    with torch.no_grad():
        out = average.module.eval().run_net(Conditions(L, hints=hint(L, 4, 4)))
    assert not torch.equal(out, average.module.run_net(Conditions(L)))


@pytest.mark.parametrize("wrong", [{"output_stride": 8}, {"width": 0}, {"blocks": 0}])
def test_a_net_of_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="=".join(map(str, *wrong.items()))):
        make(**wrong)
