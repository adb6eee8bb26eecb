"""The exponential average: as good as the net, whatever the net normalizes by, and nothing of it twice."""

import pytest
import torch
import torch.nn.functional as F

from colorgan.codecs.regress import Regress
from colorgan.color import split
from colorgan.colorizer.colorizer import Colorizer
from colorgan.nets.koala import Koala
from colorgan.nets.unet import UNet
from colorgan.nets.zhang import Zhang
from colorgan.optim.averaging import ExponentialAverage
from tests.probing import spectral_layers

NORMS = ("batch", "instance", "spectral", "none")
NETS = {
    **{norm: lambda norm=norm: UNet(2, size=32, width=4, norm=norm) for norm in NORMS},
    "zhang": lambda: Zhang(2, width=4),
}


def trained(colorizer, steps):
    """The average of a colorizer that learns one batch, its loss, and that of the colorizer."""
    average = ExponentialAverage(colorizer, 0.95)
    optimizer = torch.optim.Adam([p for p in colorizer.parameters() if p.requires_grad], 2e-3)
    L, ab = split(F.interpolate(torch.rand(4, 3, 4, 4), (32, 32), mode="bicubic").clamp(0, 1))
    for _ in range(steps):
        optimizer.zero_grad()
        colorizer.codec.loss(colorizer.net(L), L, ab).backward()
        optimizer.step()
        average.update_parameters(colorizer)
    with torch.no_grad():
        return average, *((model.eval()(L) - ab).abs().mean() for model in (average.module, colorizer))


@pytest.mark.parametrize("name", NETS)
def test_the_average_is_about_as_good_as_the_net(name):
    _, averaged, latest = trained(Colorizer(NETS[name](), Regress(), 32), 150)
    assert averaged < 1.25 * latest + 1


def test_the_largest_singular_value_stays_where_spectral_norm_bounds_it():
    average, *_ = trained(Colorizer(NETS["spectral"](), Regress(), 32), 150)
    weights = [
        layer.weight.transpose(0, 1) if isinstance(layer, torch.nn.ConvTranspose2d) else layer.weight
        for layer in spectral_layers(average.module)
    ]
    largest = [torch.linalg.matrix_norm(weight.flatten(1), 2) for weight in weights]
    assert max(largest) < 1.5


def test_buffers_that_are_no_batch_statistics_are_copied():
    colorizer = Colorizer(NETS["spectral"](), Regress(), 32)
    average, *_ = trained(colorizer, 5)
    for name, value in colorizer.named_buffers():
        if not name.endswith(("running_mean", "running_var")):
            assert torch.equal(average.module.get_buffer(name), value), name


def test_batch_statistics_are_averaged():
    colorizer = Colorizer(NETS["batch"](), Regress(), 32)
    average, *_ = trained(colorizer, 5)
    own, other = (dict(model.named_buffers()) for model in (colorizer, average.module))
    assert all(not torch.equal(own[name], other[name]) for name in own if name.endswith("running_mean"))


def test_a_frozen_body_is_stored_once(tmp_path):
    colorizer = Colorizer(Koala(2, pretrained=False, body="resnet10t", body_size=32, width=4), Regress(), 32)
    average, *_ = trained(colorizer, 1)
    assert average.module.net.body is colorizer.net.body
    both = torch.nn.ModuleDict({"model": colorizer, "ema": average})
    torch.save(both.state_dict(), tmp_path / "both.pt")
    torch.save(colorizer.state_dict(), tmp_path / "one.pt")
    trained_bytes = 4 * sum(p.numel() for p in colorizer.parameters() if p.requires_grad)
    assert (tmp_path / "both.pt").stat().st_size < (tmp_path / "one.pt").stat().st_size + trained_bytes + 200_000
    both.load_state_dict(torch.load(tmp_path / "both.pt"))


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ValueError, match="ema="):
        ExponentialAverage(torch.nn.Linear(1, 1), decay)
