"""Color hints: how they are drawn for training, what color they have, and how they are painted."""

import pytest
import torch

from colorgan.hints import MAX_SIDE, draw_hints, mean_colors, paint_hints
from tests.faking import fake_cuda


def colors(batch, height=96, width=96):
    return 40 * torch.randn(batch, 2, height, width)


@pytest.fixture
def boxes_of(monkeypatch):
    """Draws hints for ab and returns their boxes and presence, without painting them."""

    def draw(ab):
        monkeypatch.setattr("colorgan.hints.mean_colors", lambda ab, boxes: None)
        monkeypatch.setattr("colorgan.hints.paint_hints", lambda boxes, colors, present, shape: (boxes, present))
        return draw_hints(ab, 1.0)

    return draw


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_of_the_pictures_has_hints(share):
    hinted = draw_hints(torch.zeros(3000, 2, 8, 8), share)[:, 2].flatten(1).any(dim=1).float().mean()
    assert hinted == pytest.approx(share, abs=0.03) and (share not in (0, 1) or hinted == share)


def test_the_number_of_hints_is_geometric_with_a_mean_of_8(boxes_of):
    counts = boxes_of(torch.zeros(20_000, 2, 8, 8))[1].sum(dim=1).float()
    assert counts.min() == 1
    assert counts.mean() == pytest.approx(8, rel=0.03)
    assert counts.std() == pytest.approx(56**0.5, rel=0.05)
    for n in (1, 2, 8):
        assert (counts == n).float().mean() == pytest.approx((7 / 8) ** (n - 1) / 8, abs=0.01)


def test_no_picture_has_hints_without_end(boxes_of):
    assert boxes_of(torch.zeros(50_000, 2, 8, 8))[1].sum(dim=1).max() == 64


def test_a_hint_is_a_square_of_1_to_9_pixels(boxes_of):
    boxes, present = boxes_of(torch.zeros(500, 2, 400, 400))
    sides = (boxes[..., 2:] - boxes[..., :2])[present]
    inside = (boxes[present][:, 2:] < 400).all(dim=1)
    assert (sides[inside, 0] == sides[inside, 1]).all()
    assert sides[inside, 0].unique().tolist() == list(range(1, MAX_SIDE + 1))
    assert sides[inside, 0].float().mean() == pytest.approx(5, abs=0.3)


@pytest.mark.parametrize("height, width", [(400, 200), (200, 400)])
def test_places_are_normal_around_the_center(boxes_of, height, width):
    boxes, present = boxes_of(torch.zeros(500, 2, height, width))
    centers = (boxes[..., :2] + boxes[..., 2:])[present].float() / 2
    sides = torch.tensor([height, width])
    assert centers.mean(dim=0) / sides == pytest.approx([0.5, 0.5], abs=0.02)
    assert centers.std(dim=0) / sides == pytest.approx([0.24, 0.24], abs=0.02)  # a quarter, cut off at the border


@pytest.mark.parametrize("height, width", [(1, 1), (3, 50), (8, 8)])
def test_hints_stay_inside_of_small_pictures(boxes_of, height, width):
    boxes, present = boxes_of(colors(200, height, width))
    assert present.any(dim=1).all()
    assert (boxes[..., :2] >= 0).all() and (boxes[..., 2:] > boxes[..., :2]).all()
    assert (boxes[..., 2:] <= torch.tensor([height, width])).all()


def test_a_hint_has_the_mean_of_the_true_color(boxes_of):
    ab = colors(20, 40, 60)
    boxes, _ = boxes_of(ab)
    for picture, place, color in zip(ab, boxes, mean_colors(ab, boxes), strict=True):
        for (top, left, bottom, right), own in zip(place, color, strict=True):
            torch.testing.assert_close(own, picture[:, top:bottom, left:right].mean(dim=(1, 2)), rtol=1e-4, atol=1e-3)


def test_a_picture_of_one_color_gets_it_where_the_mask_is_1_and_nothing_elsewhere():
    ab = torch.tensor([30.0, -20.0])[:, None, None].expand(4, 2, 64, 64)
    hints = draw_hints(ab, 1.0)
    assert hints.shape == (4, 3, 64, 64) and hints[:, 2].unique().tolist() == [0, 1]
    torch.testing.assert_close(hints[:, :2], ab * hints[:, 2:])


def test_what_is_not_present_is_not_painted():
    boxes = torch.tensor([[[0, 0, 2, 2], [4, 5, 6, 8]]])
    hints = paint_hints(boxes, torch.tensor([[[9.0, 8.0], [7.0, -6.0]]]), torch.tensor([[False, True]]), (8, 9))
    expected = torch.zeros(1, 3, 8, 9)
    expected[0, :, 4:6, 5:8] = torch.tensor([7.0, -6.0, 1.0])[:, None, None]
    assert torch.equal(hints, expected)


def test_hints_that_overlap_have_the_mean_of_their_colors():
    boxes = torch.tensor([[[0, 0, 2, 2], [1, 1, 3, 3]]])
    hints = paint_hints(boxes, torch.tensor([[[10.0, 0.0], [20.0, 4.0]]]), torch.ones(1, 2, dtype=bool), (3, 3))
    assert hints[0, :, 0, 0].tolist() == [10, 0, 1]
    assert hints[0, :, 1, 1].tolist() == [15, 2, 1]
    assert hints[0, :, 2, 2].tolist() == [20, 4, 1]
    assert hints[0, :, 0, 2].tolist() == [0, 0, 0]


def test_hints_follow_the_seed():
    ab, drawn = colors(4), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(draw_hints(ab, 0.5))
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_autocast_rounds_no_color():
    ab, drawn = colors(8), []
    for is_mixed in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_mixed):
            drawn.append(draw_hints(ab, 1.0))
    assert drawn[1].dtype == torch.float32 and torch.equal(*drawn)


def test_colors_in_bfloat16_are_averaged_in_float32():
    ab = colors(4).bfloat16()
    torch.manual_seed(0)
    hints = draw_hints(ab, 1.0)
    torch.manual_seed(0)
    assert torch.equal(hints, draw_hints(ab.float(), 1.0))


def test_drawing_waits_for_no_device():
    with fake_cuda() as waits:
        hints = draw_hints(torch.zeros(4, 2, 32, 32, device="cuda"), 0.5)
    assert hints.is_cuda and not waits
