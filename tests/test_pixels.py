"""Pixels of every mode, depth, orientation and ICC profile come in as honest sRGB."""

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms

from colorgan.imaging import images
from tests.conftest import HEIGHT, WIDTH, distance


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "PNG", "TIFF"])
def test_gray_is_read_as_three_equal_channels(tmp_path, gray, suffix):
    Image.fromarray(gray).save(tmp_path / f"x.{suffix}")
    assert distance(images.read(tmp_path / f"x.{suffix}"), gray) < 1e-3


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_lossless_color_is_read_exactly(tmp_path, rgb, suffix):
    Image.fromarray(rgb).save(tmp_path / f"x.{suffix}")
    assert distance(images.read(tmp_path / f"x.{suffix}"), rgb) < 1e-3


@pytest.mark.parametrize(("suffix", "mode"), [("jpg", "L"), ("jpg", "RGB"), ("jpg", "CMYK"), ("webp", "RGB")])
def test_lossy_formats_are_read_closely(tmp_path, rgb, suffix, mode):
    image = Image.fromarray(rgb).convert(mode)
    image.save(tmp_path / f"x.{suffix}", quality=100)
    assert distance(images.read(tmp_path / f"x.{suffix}"), np.asarray(image.convert("RGB"))) < 20


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB"])
def test_other_color_spaces_are_read_as_rgb(tmp_path, rgb, mode):
    image = Image.fromarray(rgb).convert(mode)
    image.save(tmp_path / "x.tif")
    assert distance(images.read(tmp_path / "x.tif"), np.asarray(image.convert("RGB"))) < 1e-3


def test_black_and_white(tmp_path, gray):
    image = Image.fromarray(gray).convert("1")
    image.save(tmp_path / "x.png")
    assert distance(images.read(tmp_path / "x.png"), np.asarray(image.convert("L"))) < 1e-3


def test_palette(tmp_path, rgb):
    image = Image.fromarray(rgb).quantize(16)
    image.save(tmp_path / "x.png")
    assert distance(images.read(tmp_path / "x.png"), np.asarray(image.convert("RGB"))) < 1e-3


@pytest.mark.parametrize("transparency", [3, bytes(range(0, 256, 16))], ids=["one color", "table"])
def test_palette_with_transparency(tmp_path, rgb, transparency):
    image = Image.fromarray(rgb).quantize(16)
    image.save(tmp_path / "x.png", transparency=transparency)
    expected = np.asarray(Image.open(tmp_path / "x.png").convert("RGBA"))[..., 3]
    assert np.array_equal(images.read(tmp_path / "x.png").alpha, expected)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_alpha_is_kept_apart(tmp_path, gray, mode, suffix):
    image = Image.fromarray(gray).convert(mode)
    image.putalpha(Image.fromarray(gray[::-1].copy()))
    image.save(tmp_path / f"x.{suffix}")
    photograph = images.read(tmp_path / f"x.{suffix}")
    assert distance(photograph, gray) < 1e-3
    assert np.array_equal(photograph.alpha, gray[::-1])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_gray_keeps_its_depth(tmp_path, suffix):
    values = np.linspace(0, 65535, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / f"x.{suffix}")
    assert np.allclose(images.read(tmp_path / f"x.{suffix}").rgb[..., 0], values / 65535, atol=1e-6)


def test_16_bit_gray_with_white_at_zero(tmp_path, gray):
    tifffile.imwrite(tmp_path / "x.tif", 65535 - gray.astype(np.uint16) * 257, photometric="miniswhite")
    assert distance(images.read(tmp_path / "x.tif"), gray) < 1e-2


@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_color_tiff(tmp_path, rgb, planes, order):
    values = rgb.astype(np.uint16) * 257
    values = values if planes == "contig" else np.moveaxis(values, -1, 0).copy()
    tifffile.imwrite(tmp_path / "x.tif", values, photometric="rgb", planarconfig=planes, byteorder=order)
    assert distance(images.read(tmp_path / "x.tif"), rgb) <= 1


@pytest.mark.parametrize(
    ("dtype", "greatest"), [(np.float16, 1), (np.float32, 1), (np.float64, 1), (np.float32, 255), (np.float32, 65535)]
)
def test_float_tiff(tmp_path, rgb, dtype, greatest):
    values = (rgb / 255 * greatest).astype(dtype)
    tifffile.imwrite(tmp_path / "x.tif", values, photometric="rgb")
    assert distance(images.read(tmp_path / "x.tif"), rgb) <= 1


def test_float_gray_tiff_with_nan(tmp_path, gray):
    values = gray.astype(np.float32) / 255
    values[0, 0] = np.nan
    tifffile.imwrite(tmp_path / "x.tif", values)
    expected = gray.copy()
    expected[0, 0] = 0
    assert distance(images.read(tmp_path / "x.tif"), expected) < 1e-2


def test_first_of_several_pages(tmp_path, rgb):
    image = Image.fromarray(rgb)
    image.save(tmp_path / "x.tif", save_all=True, append_images=[Image.new("RGB", (5, 5))])
    assert distance(images.read(tmp_path / "x.tif"), rgb) < 1e-3


def test_a_phones_multi_picture_jpeg_is_a_jpeg(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "x.jpg", format="MPO", save_all=True, append_images=[Image.fromarray(rgb)])
    assert images.read(tmp_path / "x.jpg").format == "JPEG"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_orientation_is_applied(tmp_path, rgb, orientation, suffix):
    undo = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
    turns = {
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1),
        6: lambda x: np.rot90(x, -1),
        7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
        8: np.rot90,
    }
    stored = turns[undo[orientation]](rgb) if orientation > 1 else rgb
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / f"x.{suffix}", exif=exif)
    assert distance(images.read(tmp_path / f"x.{suffix}"), rgb) < 1e-3


def test_a_broken_exif_block_is_ignored(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "x.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\xff\xff")
    assert distance(images.read(tmp_path / "x.png"), rgb) < 1e-3


def profile(primaries: tuple | None = None, space: bytes = b"RGB ", gamma: float = 2.2) -> bytes:
    """A minimal ICC profile: gray, or RGB with the given colorants in XYZ (D50)."""

    def xyz(x, y, z):
        return b"XYZ " + bytes(4) + b"".join(round(v * 65536).to_bytes(4, "big", signed=True) for v in (x, y, z))

    curve = b"curv" + bytes(4) + (1).to_bytes(4, "big") + round(gamma * 256).to_bytes(2, "big") + bytes(2)
    white = xyz(0.9642, 1, 0.8249)
    tags = {b"wtpt": white, b"desc": b"desc" + bytes(4) + (2).to_bytes(4, "big") + b"x\0" + bytes(80)}
    if primaries:
        tags |= {name: xyz(*value) for name, value in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
        tags |= {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    else:
        tags[b"kTRC"] = curve
    table, data = len(tags).to_bytes(4, "big"), b""
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += name + (128 + 4 + 12 * len(tags) + len(data)).to_bytes(4, "big") + len(value).to_bytes(4, "big")
        data += value
    size = (128 + len(table) + len(data)).to_bytes(4, "big")
    head = size + bytes(4) + bytes.fromhex("02400000") + b"mntr" + space + b"XYZ " + bytes(12) + b"acsp" + bytes(28)
    return head + white[8:] + bytes(128 - len(head) - 12) + table + data


ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def test_a_wide_gamut_profile_is_converted(tmp_path):
    # (150, 120, 90) in Adobe RGB is (162, 121, 88) in sRGB: by the two matrices and curves of their standards.
    Image.new("RGB", (8, 8), (150, 120, 90)).save(tmp_path / "x.png", icc_profile=profile(ADOBE, gamma=2.19921875))
    assert distance(images.read(tmp_path / "x.png"), np.array([[[162, 121, 88]]])) <= 1.5


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_gray_profile_is_converted(tmp_path, mode):
    # Linear 64 / 255 is 0.251, which sRGB encodes as 1.055 * 0.251 ** (1 / 2.4) - 0.055 = 0.538.
    image = Image.fromarray(np.full((8, 8), 64 * 257, np.uint16)) if mode == "I;16" else Image.new("L", (8, 8), 64)
    image = image if mode == "I;16" else image.convert(mode)
    image.save(tmp_path / "x.png", icc_profile=profile(space=b"GRAY", gamma=1.0))
    assert distance(images.read(tmp_path / "x.png"), np.array([[[137]]])) <= 1.5


def test_an_rgb_profile_on_a_gray_picture(tmp_path):
    Image.new("L", (8, 8), 64).save(tmp_path / "x.png", icc_profile=profile(ADOBE, gamma=1.0))
    assert distance(images.read(tmp_path / "x.png"), np.array([[[137]]])) <= 1.5


def test_an_srgb_profile_changes_nothing(tmp_path, rgb):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(rgb).save(tmp_path / "x.png", icc_profile=srgb)
    assert distance(images.read(tmp_path / "x.png"), rgb) < 1e-3


@pytest.mark.parametrize(
    "broken", [b"nonsense", profile(ADOBE)[:150], profile(space=b"GRAY")], ids=["nonsense", "cut", "gray"]
)
def test_a_broken_or_foreign_profile_is_ignored(tmp_path, rgb, broken):
    Image.fromarray(rgb).save(tmp_path / "x.png", icc_profile=broken)
    assert distance(images.read(tmp_path / "x.png"), rgb) < 1e-3


def test_thumbnail_is_srgb(tmp_path):
    Image.new("RGB", (80, 60), (150, 120, 90)).save(tmp_path / "x.png", icc_profile=profile(ADOBE, gamma=2.19921875))
    color = images.thumbnail(tmp_path / "x.png", 16)[:, 8, 8]
    assert np.abs(color - np.array([162, 121, 88])).max() <= 1
