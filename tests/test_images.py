"""Photographs are written whole and come back so, thumbnails are right, and a broken file costs one line."""

import io

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image

from colorgan.errors import UserError
from colorgan.imaging import images
from colorgan.imaging.formats import SUFFIXES
from tests.conftest import distance


def noise(size: int = 200) -> Image.Image:
    """A colored picture that does not compress."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8))


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    """The bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


BROKEN = {
    "truncated.jpg": half(encoded(noise(), "JPEG")),
    "truncated.png": half(encoded(noise(), "PNG")),
    "truncated.webp": half(encoded(noise(), "WEBP")),
    "truncated.tif": half(encoded(noise(), "TIFF")),
    "truncated.bmp": half(encoded(noise(), "BMP")),
    "empty.jpg": b"",
    "text.jpg": b"no photograph at all\n",
    "head.tif": b"II*\0",
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("reader", [images.read, lambda path: images.thumbnail(path, 16)], ids=["read", "thumbnail"])
def test_a_broken_file_costs_one_line_with_its_name(tmp_path, name, reader):
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(UserError, match=rf"^[^\n]*{name}[^\n]*$"):
        reader(tmp_path / name)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"missing\.jpg: No such file"):
        images.read(tmp_path / "missing.jpg")


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    noise(100).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    with pytest.raises(UserError, match=r"x\.png: more than"):
        images.read(tmp_path / "x.png")


def test_a_big_photograph_is_no_bomb_and_gives_no_warning(tmp_path, monkeypatch):
    noise(100).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 8000)
    assert images.read(tmp_path / "x.png").rgb.shape == (100, 100, 3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_suffix_names_the_format(tmp_path, rgb, suffix):
    images.write(tmp_path / f"x{suffix}", rgb / 255)
    with Image.open(tmp_path / f"x{suffix}") as image:
        assert image.format == SUFFIXES[suffix]


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_what_is_written_reads_back(tmp_path, rgb, suffix):
    images.write(tmp_path / f"new/x.{suffix}", rgb / 255)
    assert distance(images.read(tmp_path / f"new/x.{suffix}"), rgb) < 1e-3


def test_a_jpeg_is_written_without_chroma_subsampling(tmp_path, rgb):
    images.write(tmp_path / "x.jpg", rgb / 255)
    with Image.open(tmp_path / "x.jpg") as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_alpha_is_written(tmp_path, rgb, gray, suffix):
    images.write(tmp_path / f"x.{suffix}", rgb / 255, gray)
    assert np.array_equal(images.read(tmp_path / f"x.{suffix}").alpha, gray)


def test_where_alpha_cannot_be_held_the_picture_lies_on_white(tmp_path, rgb):
    images.write(tmp_path / "x.bmp", rgb / 255, np.zeros(rgb.shape[:2], np.uint8))
    assert images.read(tmp_path / "x.bmp").rgb.min() == 1


def test_a_failed_write_leaves_the_old_file_alone(tmp_path, rgb, monkeypatch):
    images.write(tmp_path / "x.png", rgb / 255)
    before = (tmp_path / "x.png").read_bytes()

    def full_disk(self, path, **_):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(UserError, match=r"x.png: .*No space left"):
        images.write(tmp_path / "x.png", rgb / 255)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x.png", before)]


def test_nan_is_not_written(tmp_path):
    with pytest.raises(UserError, match="NaN"):
        images.write(tmp_path / "x.png", np.full((4, 4, 3), np.nan, np.float32))


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("x.JPG", "PNG", ".JPG"),
        ("x", "JPEG", ".jpg"),
        ("x.jfif", "JPEG", ".jpg"),
        ("x", "TIFF", ".tif"),
        ("x.gif", "GIF", ".png"),
    ],
)
def test_suffix(tmp_path, name, kind, expected):
    (tmp_path / name).write_bytes(encoded(noise(8), kind))
    assert images.suffix(tmp_path / name) == expected


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif_survives_without_its_orientation(tmp_path, rgb, suffix):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Leica"
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ISOSpeedRatings: 400}
    source, target = tmp_path / f"x.{suffix}", tmp_path / f"y.{suffix}"
    Image.fromarray(rgb).save(source, exif=exif.tobytes())
    photograph = images.read(source)
    images.write(target, photograph.rgb, photograph.alpha, photograph.exif)
    with Image.open(target) as image:
        image.load()
        kept = image.getexif()
        found = kept.get(ExifTags.Base.Make), kept.get(ExifTags.Base.Orientation), kept.get_ifd(ExifTags.IFD.Exif)
    assert found == ("Leica", None, {ExifTags.Base.ISOSpeedRatings: 400})


def test_a_tiffs_own_tags_do_not_reach_a_jpeg(tmp_path, rgb):
    tifffile.imwrite(tmp_path / "x.tif", rgb, photometric="rgb")
    photograph = images.read(tmp_path / "x.tif")
    images.write(tmp_path / "x.jpg", photograph.rgb, None, photograph.exif)
    with Image.open(tmp_path / "x.jpg") as image:
        assert set(image.getexif()) <= {ExifTags.Base.Software, ExifTags.Base.ImageDescription}


@pytest.mark.parametrize("shape", [(64, 200), (200, 64), (16, 9), (1, 50)])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_thumbnail_has_its_size_whatever_the_photographs(tmp_path, shape, suffix):
    Image.new("L", shape, 128).save(tmp_path / f"x.{suffix}")
    thumbnail = images.thumbnail(tmp_path / f"x.{suffix}", 32)
    assert (thumbnail.shape, thumbnail.dtype) == ((3, 32, 32), np.uint8)


def test_thumbnail_is_the_center_antialiased(tmp_path):
    stripes = np.zeros((128, 384, 3), np.uint8)  # black sides around a center of one-pixel stripes, gray from afar
    stripes[:, 128:256:2] = 255
    Image.fromarray(stripes).save(tmp_path / "x.png")
    inner = images.thumbnail(tmp_path / "x.png", 16)[:, :, 1:-1].astype(int)
    assert np.abs(inner - 128).max() <= 3


def test_thumbnail_is_upright(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # the stored left is the upright top
    stored = np.zeros((64, 64), np.uint8)
    stored[:, :32] = 255
    Image.fromarray(stored).save(tmp_path / "x.jpg", exif=exif)
    assert images.thumbnail(tmp_path / "x.jpg", 8)[0].mean(axis=1).round().tolist()[:3] == [255] * 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F"])
def test_thumbnail_of_any_mode(mode):
    image = noise(20).convert("L").convert(mode)
    assert images.thumbnail_of(image, 8).shape == (3, 8, 8)


@pytest.mark.parametrize("orientation", [None, 1, 3, 5, 6, 8, 9])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_shape_is_that_of_the_photograph_as_it_is_seen(tmp_path, rgb, suffix, orientation):
    exif = Image.Exif()
    if orientation:
        exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(rgb).save(tmp_path / f"x.{suffix}", exif=exif.tobytes() if orientation else b"")
    expected = images.read(tmp_path / f"x.{suffix}").rgb.shape[:2]
    assert images.shape(tmp_path / f"x.{suffix}") == expected
    assert expected == (rgb.shape[1::-1] if orientation in (5, 6, 8) else rgb.shape[:2])


def test_shape_survives_a_broken_exif_block(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "x.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff")
    assert images.shape(tmp_path / "x.jpg") == images.read(tmp_path / "x.jpg").rgb.shape[:2]


@pytest.mark.parametrize("orientation", [1, 6])
def test_shape_of_a_tiff_that_pil_cannot_read(tmp_path, rgb, orientation):
    tag = (274, "H", 1, orientation, False)
    tifffile.imwrite(tmp_path / "x.tif", np.float32(rgb / 255), photometric="rgb", extratags=[tag])
    assert images.shape(tmp_path / "x.tif") == images.read(tmp_path / "x.tif").rgb.shape[:2]


@pytest.mark.parametrize("name", ["empty.jpg", "text.jpg", "head.tif"])
def test_shape_of_no_photograph_is_one_line(tmp_path, name):
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(UserError, match=rf"^[^\n]*{name}[^\n]*$"):
        images.shape(tmp_path / name)


def test_an_exact_thumbnail_of_a_big_jpeg_is_that_of_its_pixels(tmp_path):
    smooth = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)).resize((300, 200))
    smooth.save(tmp_path / "x.jpg")
    with Image.open(tmp_path / "x.jpg") as image:
        image.save(tmp_path / "x.png")
    exact = images.thumbnail(tmp_path / "x.jpg", 32, exact=True)
    assert np.array_equal(exact, images.thumbnail(tmp_path / "x.png", 32))
