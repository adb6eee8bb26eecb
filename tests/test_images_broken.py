"""A broken file never becomes a picture: it gives its true pixels or one line, to `read` and `thumbnail` alike."""

import logging
import warnings

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFile

from colorgan.errors import UserError
from colorgan.imaging import images
from colorgan.imaging.arrays import unpack
from tests.breaking import FLOATS, RGB, WHOLES, by_pil, chunk, strips, tags_last, tiff


def read(path):
    return np.rint(images.read(path).rgb * 255).astype(np.uint8)


def thumbnail(path):
    return images.thumbnail(path, 16)


def exact_thumbnail(path):
    return images.thumbnail(path, 16, exact=True)


def attempt(reader, path):
    """What a reader gives, or None where it refuses the file in one line that names it."""
    try:
        return reader(path)
    except UserError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
        return None


def plain(whole, path, reader):
    """What `reader` should give by the pixels of the decoder alone; None where the decoder refuses them."""
    try:
        with warnings.catch_warnings(action="ignore"):
            image = whole.plain(path)
    except Exception:
        return None
    return np.asarray(image) if reader is read else images.thumbnail_of(image, 16)


def wrong(broken, path, reader, expected):
    """The places where a broken file is taken for another picture than the expected one."""
    places = []
    for place, data in enumerate(broken):
        path.write_bytes(data)
        given, right = attempt(reader, path), expected()
        if given is not None and (right is None or not np.array_equal(given, right)):
            places.append(place)
    return places


@pytest.mark.parametrize("reader", [read, thumbnail])
@pytest.mark.parametrize("name", WHOLES)
def test_a_truncated_file_is_refused_or_whole(tmp_path, name, reader):
    path = tmp_path / name
    path.write_bytes(WHOLES[name].data)
    right = reader(path)
    assert not wrong(WHOLES[name].cut(), path, reader, lambda: right)


@pytest.mark.parametrize("reader", [read, thumbnail])
@pytest.mark.parametrize("name", [name for name in WHOLES if not WHOLES[name].plain])
def test_checksums_tell_corrupted_pixels(tmp_path, name, reader):
    path = tmp_path / name
    path.write_bytes(WHOLES[name].data)
    right = reader(path)
    assert not wrong(WHOLES[name].corrupted(), path, reader, lambda: right)


@pytest.mark.parametrize("reader", [read, exact_thumbnail])
@pytest.mark.parametrize("name", [name for name in WHOLES if WHOLES[name].plain])
def test_what_a_decoder_refuses_is_refused(tmp_path, name, reader):
    path, whole = tmp_path / name, WHOLES[name]
    assert not wrong(whole.corrupted(), path, reader, lambda: plain(whole, path, reader))


@pytest.mark.parametrize("name", ["baseline.jpg", "progressive.jpg"])
def test_a_jpeg_decoded_at_a_part_of_its_size_is_refused_as_at_its_full_size(tmp_path, name):
    path, whole = tmp_path / name, WHOLES[name]
    for data in whole.corrupted():
        path.write_bytes(data)
        if plain(whole, path, thumbnail) is None:
            assert attempt(thumbnail, path) is None


def zeroed(data, first=100, last=400):
    """A PNG with a part of its first data chunk overwritten by zeros."""
    at = data.index(b"IDAT") + 4
    return data[: at + first] + bytes(last - first) + data[at + last :]


@pytest.mark.parametrize("reader", [read, thumbnail])
@pytest.mark.parametrize("name", ["rgb.png", "16-bit.png", "palette.png", "interlaced.png"])
def test_a_png_with_zeros_in_its_pixels_is_one_line_and_no_picture(tmp_path, name, reader):
    (tmp_path / name).write_bytes(zeroed(WHOLES[name].data))
    with pytest.raises(UserError, match=rf"^[^\n]*{name}: truncated or broken[^\n]*$"):
        reader(tmp_path / name)


@pytest.mark.parametrize("reader", [read, thumbnail])
def test_every_single_byte_of_a_png_counts(tmp_path, reader):
    data = by_pil("PNG", Image.fromarray(RGB[:4, :6]))
    path = tmp_path / "x.png"
    path.write_bytes(data)
    right = reader(path)
    flipped = (data[:i] + bytes([data[i] ^ 16]) + data[i + 1 :] for i in range(len(data)))
    assert not wrong(flipped, path, reader, lambda: right)


def test_the_shape_of_a_png_that_is_decoded_for_its_exif_is_no_guess(tmp_path):
    (tmp_path / "x.png").write_bytes(zeroed(WHOLES["rgb.png"].data))
    assert attempt(images.shape, tmp_path / "x.png") is None


def test_a_png_that_ends_after_its_pixels_is_whole(tmp_path):
    data = WHOLES["rgb.png"].data
    for end in (b"", b"junk", data[-12:] + b"junk", chunk(b"tEXt", b"Title\0x")):
        (tmp_path / "x.png").write_bytes(data[:-12] + end)
        assert np.array_equal(read(tmp_path / "x.png"), RGB)
    (tmp_path / "x.png").write_bytes(data[:-14])  # within the checksum of the pixels
    assert np.array_equal(read(tmp_path / "x.png"), RGB)


def test_exif_behind_the_pixels_of_a_png(tmp_path):
    block = Image.Exif()
    block[ExifTags.Base.Orientation] = 6
    data = WHOLES["rgb.png"].data
    (tmp_path / "x.png").write_bytes(data[:-12] + chunk(b"eXIf", block.tobytes()[6:]) + data[-12:])
    assert np.array_equal(read(tmp_path / "x.png"), np.rot90(RGB, -1))
    assert images.shape(tmp_path / "x.png") == RGB.shape[1::-1]


@pytest.mark.parametrize("reader", [read, thumbnail])
@pytest.mark.parametrize(
    "data",
    [
        tags_last(by_pil("TIFF")),
        tags_last(by_pil("TIFF", Image.fromarray(FLOATS[..., 0]))),  # integers, without its last tag
        tags_last(tiff(FLOATS)),
    ],
    ids=["bytes", "gray floats", "floats"],
)
def test_a_tiff_cut_within_its_tags_is_refused(tmp_path, data, reader):
    (tmp_path / "x.tif").write_bytes(data)
    right = reader(tmp_path / "x.tif")
    assert not wrong((data[:-n] for n in range(1, 200, 3)), tmp_path / "x.tif", reader, lambda: right)


@pytest.mark.parametrize("reader", [read, thumbnail])
@pytest.mark.parametrize("name", ["raw-strips.tif", "big.tif"])
def test_tifffile_does_not_read_what_pillow_refuses_as_broken(tmp_path, name, reader):
    path, whole = tmp_path / name, WHOLES[name]
    flipped = (whole.data[:i] + bytes([whole.data[i] ^ 9]) + whole.data[i + 1 :] for i in range(strips(whole.data)))
    assert not wrong(flipped, path, reader, lambda: plain(whole, path, reader))


@pytest.mark.parametrize("reader", [read, thumbnail])
def test_missing_strips_of_a_tiff_are_no_zeros(tmp_path, reader):
    data = tiff(FLOATS, compression="zlib")
    tag = data.index(b"\x11\x01")  # StripOffsets: its values lie elsewhere
    at = int.from_bytes(data[tag + 8 : tag + 12], "little")
    (tmp_path / "x.tif").write_bytes(data[:at] + bytes(4) + data[at + 4 :])
    assert attempt(reader, tmp_path / "x.tif") is None


def test_tifffile_logs_as_before_when_it_is_done(tmp_path, caplog):
    (tmp_path / "x.tif").write_bytes(tiff(FLOATS)[:300])
    assert attempt(read, tmp_path / "x.tif") is None
    logging.getLogger("tifffile").error("of someone else")
    assert caplog.messages == ["of someone else"]


@pytest.mark.parametrize("reader", [read, thumbnail])
@pytest.mark.parametrize("name", ["rgb.png", "baseline.jpg", "rgb.bmp", "palette.gif", "raw.tif"])
def test_a_truncated_file_is_refused_where_another_library_tolerates_it(tmp_path, monkeypatch, name, reader):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = WHOLES[name].data
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    assert attempt(reader, tmp_path / name) is None
    assert ImageFile.LOAD_TRUNCATED_IMAGES  # it is the other library's to change


def with_checksums(data):
    """A PNG of one data chunk, which is given the checksum of what it holds by now."""
    at = data.index(b"IDAT")
    return data[: at - 4] + chunk(b"IDAT", data[at + 4 : -16]) + data[-12:]


BROKEN_LATE = {  # opened by Pillow without a complaint
    "rgb.png": zeroed(WHOLES["rgb.png"].data),
    "stream.png": with_checksums(zeroed(WHOLES["rgb.png"].data)),
    "lzw.tif": WHOLES["lzw.tif"].data[:1000] + bytes(range(256)) + WHOLES["lzw.tif"].data[1256:],
    "codes.gif": WHOLES["palette.gif"].data[:-300] + bytes(range(200)) + WHOLES["palette.gif"].data[-100:],
    "baseline.jpg": WHOLES["baseline.jpg"].data[:-100],
    "deflate.tif": WHOLES["deflate.tif"].data[:-1500] + bytes(300) + WHOLES["deflate.tif"].data[-1200:],
    "lossless.webp": WHOLES["lossless.webp"].data[:40] + bytes(range(256)) + WHOLES["lossless.webp"].data[296:],
    "palette.gif": WHOLES["palette.gif"].data[:-500],
}


@pytest.mark.parametrize("name", BROKEN_LATE)
def test_a_broken_pil_image_is_refused_however_often_it_is_handed_in(tmp_path, name):
    (tmp_path / name).write_bytes(BROKEN_LATE[name])
    with Image.open(tmp_path / name) as image:
        for _ in range(3):
            with pytest.raises(UserError, match=rf"^cannot color [^\n]*{name}: [^\n]*$"):
                unpack(image)


def test_a_closed_pil_image_is_one_line(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        pass
    with pytest.raises(UserError, match=r"^cannot color [^\n]*x\.png: [^\n]*closed[^\n]*$"):
        unpack(image)
