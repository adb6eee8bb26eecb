"""The exponential average: as good as the net, whatever the net normalizes by, and nothing of it twice."""

import inspect
from typing import get_args

import pytest
import torch
import torch.nn.functional as F

from colorgan.codecs.regress import Regress
from colorgan.color import split
from colorgan.colorizer.colorizer import Colorizer
from colorgan.nets import NETS
from colorgan.nets.blocks import Norm
from colorgan.optim.averaging import ExponentialAverage
from tests.probing import net_of, spectral_layers


def norms_of(net):
    """The norms that a net lets an experiment choose from."""
    return get_args(Norm) if "norm" in inspect.signature(net).parameters else (None,)


def colorizer_of(name, norm=None):
    return Colorizer(net_of(name, norm=norm), Regress(), 32)


def trained(colorizer, steps):
    """The average of a colorizer that learns one batch, its loss, and that of the colorizer."""
    average = ExponentialAverage(colorizer, 0.9)
    optimizer = torch.optim.Adam([p for p in colorizer.parameters() if p.requires_grad], 2e-3)
    L, ab = split(F.interpolate(torch.rand(4, 3, 4, 4), (32, 32), mode="bicubic").clamp(0, 1))
    for _ in range(steps):
        optimizer.zero_grad()
        colorizer.codec.loss(colorizer.net(L), L, ab).backward()
        optimizer.step()
        average.update_parameters(colorizer)
    with torch.no_grad():
        return average, *((model.eval()(L) - ab).abs().mean() for model in (average.module, colorizer))


@pytest.mark.parametrize("name, norm", [(name, norm) for name, net in NETS.items() for norm in norms_of(net)])
def test_the_average_is_about_as_good_as_the_net(name, norm):
    _, averaged, latest = trained(colorizer_of(name, norm), 100)
    assert averaged < 1.25 * latest + 1


def test_the_largest_singular_value_stays_where_spectral_norm_bounds_it():
    average, *_ = trained(colorizer_of("unet", "spectral"), 100)
    weights = [
        layer.weight.transpose(0, 1) if isinstance(layer, torch.nn.ConvTranspose2d) else layer.weight
        for layer in spectral_layers(average.module)
    ]
    largest = [torch.linalg.matrix_norm(weight.flatten(1), 2) for weight in weights]
    assert max(largest) < 1.5


def test_buffers_that_are_no_batch_statistics_are_copied():
    colorizer = colorizer_of("unet", "spectral")
    average, *_ = trained(colorizer, 5)
    for name, value in colorizer.named_buffers():
        if not name.endswith(("running_mean", "running_var")):
            assert torch.equal(average.module.get_buffer(name), value), name


def test_batch_statistics_are_averaged():
    colorizer = colorizer_of("unet", "batch")
    average, *_ = trained(colorizer, 5)
    own, other = (dict(model.named_buffers()) for model in (colorizer, average.module))
    assert all(not torch.equal(own[name], other[name]) for name in own if name.endswith("running_mean"))


def test_a_frozen_body_is_stored_once(tmp_path):
    colorizer = colorizer_of("koala")
    average, *_ = trained(colorizer, 1)
    assert average.module.net.body is colorizer.net.body
    both = torch.nn.ModuleDict({"model": colorizer, "ema": average})
    torch.save(both.state_dict(), tmp_path / "both.pt")
    torch.save(colorizer.state_dict(), tmp_path / "one.pt")
    trained_bytes = 4 * sum(p.numel() for p in colorizer.parameters() if p.requires_grad)
    assert (tmp_path / "both.pt").stat().st_size < (tmp_path / "one.pt").stat().st_size + trained_bytes + 200_000
    both.load_state_dict(torch.load(tmp_path / "both.pt"))


def test_a_restored_average_goes_on_with_its_own_decay():
    model = torch.nn.Linear(2, 2)
    average, restored = ExponentialAverage(model, 0.99), ExponentialAverage(model, 0.99)
    for step in range(8):
        torch.nn.init.normal_(model.weight)
        if step == 5:
            restored.load_state_dict(average.state_dict())
        average.update_parameters(model)
        restored.update_parameters(model)
    assert average.n_averaged == restored.n_averaged == 8
    assert torch.equal(average.module.weight, restored.module.weight)


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ValueError, match="ema="):
        ExponentialAverage(torch.nn.Linear(1, 1), decay)
