"""Augmentation of a batch: seeds, flips, crops and near-gray images."""

import pytest
import torch

from colorgan.data import augment
from colorgan.seeding import seed_of


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def ramp(n, size):
    """Pictures whose red rises from left to right and green from top to bottom, over [0.2, 0.8]."""
    line = torch.linspace(0.2, 0.8, size)
    picture = torch.stack([line.expand(size, size), line[:, None].expand(size, size), torch.full((size, size), 0.5)])
    return picture.expand(n, -1, -1, -1).clone()


def painted(n, size=32):
    """Random colors in coarse blocks, uint8."""
    blocks = torch.randint(0, 256, (n, 3, 4, 4), generator=generator(1)).float()
    return torch.nn.functional.interpolate(blocks, size=(size, size)).to(torch.uint8)


def test_seeds_differ_if_any_of_the_four_numbers_differs():
    seeds = [seed_of(s, e, b, r) for s in range(4) for e in range(8) for b in range(16) for r in range(4)]
    assert len({seed % 2**32 for seed in seeds}) == len(seeds)  # torch's CPU generator looks at the low 32 bits
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_of(1, 2, 3, 4) == seed_of(1, 2, 3, 4)


def test_flip_mirrors_about_half_and_nothing_else():
    rgb = ramp(64, 8)
    flipped = augment.random_horizontal_flip(rgb, generator())
    mirrored = (flipped == rgb.flip(-1)).flatten(1).all(1)
    assert torch.equal(flipped[~mirrored], rgb[~mirrored])
    assert 20 < mirrored.sum() < 44


def test_whole_picture_crop_is_a_plain_resize():
    rgb = painted(3, 36).float() / 255
    assert torch.allclose(augment.random_resized_crop(rgb, 36, 1.0, generator()), rgb, atol=1e-6)
    resized = augment._resize(rgb, 32).clamp(0, 1)
    assert torch.equal(augment.random_resized_crop(rgb, 32, 1.0, generator()), resized)


def test_crops_are_windows_of_their_picture():
    rgb = ramp(200, 36)
    crops = augment.random_resized_crop(rgb, 32, 0.5, generator())
    assert crops.shape == (200, 3, 32, 32)
    assert crops.min() >= 0.2 - 1e-3 and crops.max() <= 0.8 + 1e-3
    # The range of a ramp gives the share of the width and height of its window.
    widths = (crops[:, 0, 16, 31] - crops[:, 0, 16, 0]) / 0.6
    heights = (crops[:, 1, 31, 16] - crops[:, 1, 0, 16]) / 0.6
    area = widths * heights
    assert 0.4 < area.min() < 0.55 and area.max() > 0.9
    ratio = widths / heights
    assert 0.65 < ratio.min() < 0.85 and 1.2 < ratio.max() < 1.5
    assert crops[:, 0, 16, 0].std() > 0.02  # windows start at many places


def test_crops_shrink_without_aliasing():
    stripes = torch.zeros(1, 3, 64, 64)
    stripes[..., ::2] = 1
    crop = augment.random_resized_crop(stripes, 8, 1.0, generator())
    assert (crop - 0.5).abs().max() < 0.1


def test_augmentation_depends_on_the_generator_alone():
    rgb = ramp(4, 36)
    torch.manual_seed(1)
    first = augment.random_resized_crop(rgb, 32, 0.5, generator(7))
    torch.manual_seed(2)
    assert torch.equal(first, augment.random_resized_crop(rgb, 32, 0.5, generator(7)))
    assert not torch.equal(first, augment.random_resized_crop(rgb, 32, 0.5, generator(8)))


def test_near_gray_finds_gray_sepia_and_flat_pictures_but_no_color():
    color = painted(1)
    gray = color.float().mean(1, keepdim=True).expand(-1, 3, -1, -1)
    sepia = gray * torch.tensor([0.84, 0.78, 0.66])[:, None, None] + torch.tensor([40.0, 25.0, 10.0])[:, None, None]
    noisy = (gray + torch.randn(gray.shape, generator=generator())).clamp(0, 255)
    flat = torch.tensor([200, 30, 30])[None, :, None, None].expand(1, 3, 32, 32)
    pale = gray + 0.1 * (color - gray)
    batch = torch.cat([color, gray, sepia, noisy, flat, pale]).round().to(torch.uint8)
    assert augment.near_gray(batch, 3.5).tolist() == [False, True, True, True, True, False]
    assert not augment.near_gray(batch, 0).any()


@pytest.mark.parametrize(
    ("dropped", "chosen"),
    [
        ([0, 0, 0], [0, 1, 2]),
        ([1, 0, 0, 1, 0], [1, 2, 4, 1, 2]),
        ([1, 1, 0], [2, 2, 2]),
        ([1, 1], [0, 1]),
    ],
)
def test_kept_images_replace_dropped_ones(dropped, chosen):
    assert augment.replacement_indices(torch.tensor(dropped, dtype=torch.bool)).tolist() == chosen
