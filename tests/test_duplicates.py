"""Near-duplicates: what counts as one, which picture is kept, and that the search by bands misses none."""

import io

import numpy as np
import pytest
from PIL import Image

from colorgan.data import duplicates
from colorgan.data.duplicates import RADIUS, Fingerprint, find_duplicates, fingerprint

FLAT = bytes([90]) * 256  # a thumbnail


def scene(seed, width=144, height=96):
    """A smooth random picture in color."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def recompressed(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def flip(value, bits):
    for bit in bits:
        value ^= 1 << bit
    return value


@pytest.mark.parametrize(("share", "quality"), [(1, 50), (0.9, 70), (0.7, 60), (0.5, 90)])
def test_a_smaller_or_worse_copy_is_a_duplicate(share, quality):
    pictures = [scene(seed) for seed in range(20)]
    copies = [recompressed(p.resize((round(144 * share), round(96 * share))), quality) for p in pictures]
    found = find_duplicates(map(fingerprint, pictures + copies))
    assert found == [None] * 20 + list(range(20))


def test_different_pictures_are_kept():
    assert find_duplicates(fingerprint(scene(seed)) for seed in range(200)) == [None] * 200


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_the_mode_of_a_picture_does_not_matter(mode):
    assert find_duplicates([fingerprint(scene(0)), fingerprint(scene(0).convert(mode))]) == [None, 0]


def test_flat_pictures_of_different_lightness_are_different():
    found = find_duplicates(fingerprint(Image.new("L", (64, 48), gray)) for gray in (30, 120, 220, 30))
    assert found == [None, None, None, 0]


def test_the_hash_of_a_flat_picture_has_no_rounding_errors():
    assert fingerprint(Image.new("L", (64, 48), 77)).hash == fingerprint(Image.new("L", (50, 90), 201)).hash


def test_the_search_by_bands_finds_what_comparing_all_pairs_finds():
    generator = np.random.default_rng(0)
    hashes = []
    for value in generator.integers(0, 2**63, 40).tolist():
        for count in range(RADIUS + 4):
            hashes.append(flip(value, generator.choice(64, count, replace=False).tolist()))
    found = find_duplicates(Fingerprint(value, FLAT) for value in hashes)
    kept = []
    for i, original in enumerate(found):
        near = [j for j in kept if (hashes[j] ^ hashes[i]).bit_count() <= RADIUS]
        assert original in (near or [None])
        if original is None:
            kept.append(i)
    assert 40 <= len(kept) < len(hashes)


def test_a_chain_of_small_differences_does_not_leave_out_its_end():
    first = 0x123456789ABCDEF0
    middle = flip(first, range(RADIUS))
    last = flip(middle, range(RADIUS, 2 * RADIUS))
    assert find_duplicates(Fingerprint(value, FLAT) for value in (first, middle, last)) == [None, 0, None]


def test_the_nearest_of_the_kept_pictures_is_named():
    near, far = bytes([92]) * 256, bytes([60]) * 256
    prints = [Fingerprint(1, far), Fingerprint(1, FLAT), Fingerprint(1, near)]
    assert find_duplicates(prints) == [None, None, 1]


def test_equal_hashes_of_different_thumbnails_are_no_duplicates():
    assert find_duplicates([Fingerprint(5, FLAT), Fingerprint(5, bytes(range(256)))]) == [None, None]


def test_the_bands_hold_every_bit_once():
    assert sum(band.bit_count() for band in duplicates._bands(2**64 - 1)) == 64


def test_no_pictures_have_no_duplicates():
    assert find_duplicates([]) == []
