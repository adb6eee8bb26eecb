import math

import pytest
import torch
from scipy.spatial import ConvexHull

from colorgan.codecs.bins import Bins, read_prior, save_prior
from colorgan.codecs.neighbors import NearestNeighbors
from colorgan.color import in_gamut_bins, split
from colorgan.errors import UserError

L = torch.full((1, 1, 1, 1), 50.0)


def pixel(a, b):
    return torch.tensor([float(a), float(b)]).view(1, 2, 1, 1)


@pytest.fixture(scope="module")
def cube():
    """L and ab of 33 levels of each of R, G and B, as one picture."""
    levels = torch.linspace(0, 1, 33)
    return split(torch.cartesian_prod(levels, levels, levels).T[None, :, None])


def test_there_are_313_in_gamut_bins_by_a_and_then_b():
    bins = in_gamut_bins().tolist()
    assert len(bins) == 313 and bins == sorted(bins)
    assert [min(x) for x in zip(*bins, strict=True)] == [-90, -110]
    assert [max(x) for x in zip(*bins, strict=True)] == [100, 100]


def test_the_bins_hold_the_233_whose_centers_lie_in_the_hull_of_srgb(cube):
    hull = ConvexHull(cube[1][0, :, 0].T.double().numpy()).equations
    grid = torch.cartesian_prod(*[torch.arange(-110.0, 111, 10)] * 2)
    inner = grid[(grid.numpy() @ hull[:, :2].T + hull[:, 2] <= 0).all(axis=1)]
    assert len(inner) == 233
    assert {*map(tuple, inner.tolist())} <= {*map(tuple, in_gamut_bins().tolist())}


def test_every_srgb_color_is_nearest_to_a_bin_within_half_a_bin(cube):
    _, squared = NearestNeighbors(in_gamut_bins(), 1)(cube[1])
    assert squared.max() <= 5**2 + 5**2 + 1e-3


@pytest.mark.parametrize("count", [1, 5, 10])
@pytest.mark.parametrize("places", ["gamut", "beyond"])
def test_neighbors_are_those_of_brute_force(cube, count, places):
    ab = cube[1][..., ::7] if places == "gamut" else 118 * (2 * torch.rand(1, 2, 1, 2000) - 1)
    bins = in_gamut_bins()
    index, squared = NearestNeighbors(bins, count)(ab)
    distances = torch.cdist(ab[0, :, 0].T.double(), bins.double())
    torch.testing.assert_close(squared[0, :, 0].T.double().sqrt(), distances.topk(count, largest=False).values)
    torch.testing.assert_close(distances.gather(1, index[0, :, 0].T), distances.topk(count, largest=False).values)


def test_a_place_beyond_all_cells_still_finds_a_bin():
    index, _ = NearestNeighbors(in_gamut_bins(), 1)(pixel(400, 0))
    assert in_gamut_bins()[index.item()].tolist() == [100, 0]


@pytest.mark.parametrize("neighbors, share", [(5, 0.6488), (10, 0.6192)])
def test_a_color_at_the_center_of_an_inner_bin_gives_it_the_published_share(neighbors, share):
    index, shares = Bins(neighbors=neighbors).encode(pixel(20, 30))
    assert in_gamut_bins()[index[0, 0].item()].tolist() == [20, 30]
    assert shares[0, 0].item() == pytest.approx(share, abs=5e-5)
    assert shares.sum().item() == pytest.approx(1)


@pytest.mark.parametrize(
    "decoding, neighbors, mean, largest",
    [("mode", 5, 3.8, 7.02), ("mean", 5, 0.22, 0.71), ("mean", 10, 0.24, 0.42), ("annealed", 5, 1.81, 2.71)],
)
def test_decoding_the_code_of_a_color_loses_what_the_sheet_says(cube, decoding, neighbors, mean, largest):
    error = (Bins(neighbors, decoding=decoding).reconstruct(*cube) - cube[1]).norm(dim=1)
    assert error.mean().item() == pytest.approx(mean, abs=0.03)
    assert error.max().item() == pytest.approx(largest, abs=0.005)


def test_the_loss_is_cross_entropy_with_the_soft_code():
    codec, ab = Bins(), pixel(20, 30)
    index, shares = codec.encode(ab)
    out = torch.randn(1, 313, 1, 1)
    expected = -sum(s * out.log_softmax(1)[0, i] for i, s in zip(index.flatten(), shares.flatten(), strict=True))
    assert codec.loss(out, L, ab).item() == pytest.approx(expected.item(), rel=1e-5)


def test_weights_act_on_the_gradient_and_not_on_the_value():
    codec, plain = Bins(), Bins(rebalance=1.0)
    codec.prior.fill_(0)
    codec.prior[codec.encode(pixel(0, 30))[0][0, 0]] = 1.0
    out, ab = torch.randn(1, 313, 1, 1, requires_grad=True), pixel(20, 30)
    weight = codec.class_weights()[codec.encode(ab)[0][0, 0].item()]
    value, reference = codec.loss(out, L, ab), plain.loss(out, L, ab)
    assert value.item() == pytest.approx(reference.item(), rel=1e-4)
    gradients = [torch.autograd.grad(loss, out)[0] for loss in (value, reference)]
    torch.testing.assert_close(gradients[0], weight * gradients[1])
    assert weight > 2


def test_class_weights_by_hand():
    codec = Bins(rebalance=0.5)
    codec.prior.fill_(0)
    codec.prior[:2] = torch.tensor([0.75, 0.25])
    raw = [1 / (0.5 * p + 0.5 / 313) for p in (0.75, 0.25, 0)]
    mean = 0.75 * raw[0] + 0.25 * raw[1]
    assert codec.class_weights()[:3].tolist() == pytest.approx([w / mean for w in raw])


def test_without_a_prior_all_colors_weigh_the_same():
    torch.testing.assert_close(Bins().class_weights(), torch.ones(313))


def test_a_near_gray_picture_teaches_nothing():
    out = torch.randn(2, 313, 1, 2, requires_grad=True)
    ab = torch.tensor([[[[4.0, -4.9]], [[4.9, 0.0]]], [[[4.0, 0.0]], [[0.0, -5.1]]]])
    Bins().loss(out, L.expand(2, 1, 1, 2), ab).backward()
    assert not out.grad[0].any() and out.grad[1].any()


def test_the_truth_is_the_pixel_in_the_middle():
    ab = torch.zeros(1, 2, 4, 4)
    ab[0, 0, 2, 2] = 60
    out = torch.zeros(1, 313, 1, 1, requires_grad=True)
    Bins(rebalance=1).loss(out, L.expand(1, 1, 4, 4), ab).backward()
    assert in_gamut_bins()[out.grad.argmin()].tolist() == [60, 0]


def test_the_prior_is_the_blurred_frequency_of_the_nearest_bins():
    codec = Bins()
    codec.initialize(iter([pixel(20, 30).expand(1, 2, 3, 1), pixel(-40, 40)]))
    assert codec.prior.sum().item() == pytest.approx(1)
    peak = codec.prior[codec.encode(pixel(20, 30))[0][0, 0]].item()
    side = codec.prior[codec.encode(pixel(30, 30))[0][0, 0]].item()
    assert side / peak == pytest.approx(math.exp(-100 / 50), rel=1e-3)
    assert peak / codec.prior[codec.encode(pixel(-40, 40))[0][0, 0]].item() == pytest.approx(3, rel=1e-3)


def test_a_given_prior_is_read_and_not_measured(tmp_path):
    save_prior(tmp_path / "prior.json", torch.arange(313.0))
    codec = Bins(prior=str(tmp_path / "prior.json"))
    codec.initialize(iter([]))
    torch.testing.assert_close(codec.prior, torch.arange(313.0) / (312 * 313 / 2))


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"prior": [1, 2]}', '{"prior": "x"}', '{"prior": null}'])
def test_a_file_without_a_prior_is_one_line(tmp_path, content):
    (tmp_path / "prior.json").write_text(content)
    with pytest.raises(UserError, match=r"prior.json.*python -m colorgan.prior"):
        read_prior(tmp_path / "prior.json")


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf])
def test_a_prior_with_a_value_that_is_no_frequency_is_one_line(tmp_path, wrong):
    save_prior(tmp_path / "prior.json", torch.tensor([wrong] + [1.0] * 312))
    with pytest.raises(UserError, match=r"prior.json: not 313 frequencies; python -m colorgan.prior"):
        read_prior(tmp_path / "prior.json")


def test_a_missing_prior_is_one_line(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        Bins(prior=str(tmp_path / "none.json")).initialize(iter([]))


@pytest.mark.parametrize(
    "wrong", [{"neighbors": 0}, {"neighbors": 314}, {"sigma": 0}, {"temperature": 0}, {"rebalance": 0}]
)
def test_a_nonsense_value_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Bins(**wrong)
