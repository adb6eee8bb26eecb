"""Files that strangers send: each costs one line, little time and little memory, and none is passed over in silence."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from colorgan import prepare
from colorgan.data.folder import find_images
from colorgan.errors import UserError
from colorgan.imaging import images, limits
from tests.breaking import FLOATS, PLANES, RGB, by_pil, chunk, tiff
from tests.test_sample import outputs, photo


def refusal(path, data):
    """The line by which a file is refused."""
    path.write_bytes(data)
    for reader in (images.read, lambda path: images.thumbnail(path, 16)):
        with pytest.raises(UserError, match=r"^[^\n]*$") as error:
            reader(path)
    return str(error.value).removeprefix(f"{path}: ")


# What is kept, and what is said


@pytest.mark.parametrize("name", ["jpg", "png", "tif", "bmp", "webp"])
@pytest.mark.parametrize("given", ["jpg", "png", "tif", "bmp", "webp"])
def test_the_resolution_is_kept(tmp_path, given, name):
    images.write(tmp_path / f"in.{given}", RGB, dpi=(600, 300))
    found = images.read(tmp_path / f"in.{given}")
    assert found.dpi == (600, 300)
    images.write(tmp_path / f"out.{name}", RGB, exif=found.exif, dpi=found.dpi)
    assert images.read(tmp_path / f"out.{name}").dpi == (600, 300)


def test_the_resolution_is_turned_with_the_picture_and_reaches_the_output(run, tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(RGB).save(tmp_path / "x.jpg", dpi=(600, 300), exif=exif)
    assert run("x.jpg") == 0
    with Image.open(tmp_path / "colorized/x.jpg") as image:
        assert image.info["dpi"] == (300, 600)


def test_the_resolution_of_a_tiff_of_floats_is_kept(tmp_path):
    options = {"resolution": (200, 100), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(tmp_path / "x.tif", FLOATS, photometric="rgb", **options)
    assert images.read(tmp_path / "x.tif").dpi == (508, 254)


@pytest.mark.parametrize("dpi", [(0, 0), (1e9, 1e9), (float("nan"), 1)])
def test_a_resolution_that_is_none_counts_as_missing(tmp_path, dpi):
    image = Image.fromarray(RGB)
    image.save(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as opened:
        opened.info["dpi"] = dpi
        assert images.exif.resolution(opened) is None


@pytest.mark.parametrize("megabytes", [1.2, 8])
def test_a_png_with_much_metadata_is_colored(tmp_path, megabytes):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(int(megabytes * 1e6))
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "x" * int(megabytes * 1e6), zip=True)
    for name, options in {"icc.png": {"icc_profile": profile}, "text.png": {"pnginfo": texts}}.items():
        Image.fromarray(RGB).save(tmp_path / name, **options)
        assert np.array_equal(images.read(tmp_path / name).levels, RGB)


def test_a_png_whose_metadata_is_a_bomb_says_so(tmp_path):
    data = by_pil("PNG")
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 25)))
    assert "metadata of more than 16 MiB" in refusal(tmp_path / "x.png", data[:33] + bomb + data[33:])


@pytest.mark.parametrize("name", ["x.tif", "x.gif", "x.webp", "x.png"])
def test_further_pages_and_frames_are_spoken_of(run, tmp_path, capsys, caplog, name):
    pages = [Image.fromarray(np.roll(RGB, 5 * i, axis=1)) for i in range(3)]
    pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
    assert run(name) == 0
    assert caplog.messages == [f"{name}: only its first page or frame is colored"]


def test_further_pages_of_a_tiff_that_pillow_does_not_read(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", np.stack([FLOATS, FLOATS]), photometric="rgb")
    assert images.read(tmp_path / "x.tif").has_more
    tifffile.imwrite(tmp_path / "x.tif", FLOATS, photometric="rgb")
    assert not images.read(tmp_path / "x.tif").has_more


@pytest.mark.parametrize("name", ["x.jfif", "x.jpe", "x.gif", "x.ppm", "x.avif", "x.jp2", "x.tga"])
def test_every_suffix_of_what_is_decoded_is_found_in_a_folder(run, tmp_path, name):
    (tmp_path / "in").mkdir()
    kind = {"jfif": "JPEG", "jpe": "JPEG", "jp2": "JPEG2000"}.get(name[2:], name[2:].upper())
    Image.fromarray(RGB).save(tmp_path / "in" / name, kind)
    assert find_images(tmp_path / "in") == [name]
    assert run("in") == 0
    assert len(outputs(tmp_path / "colorized")) == 1


def test_what_is_passed_over_is_counted_in_one_line(run, tmp_path, capsys, caplog):
    photo(tmp_path / "in/a.png")
    for name in ("b.HEIC", "c.heic", "notes.txt", "README", ".hidden"):
        (tmp_path / "in" / name).write_text("no photograph")
    line = "in: 4 other files passed over (2 .heic, 1 .txt, 1 without a suffix)"
    assert run("in") == 0
    assert sorted(capsys.readouterr().err.strip()) == sorted(line)  # the order of equal counts is that of the disk
    find_images(tmp_path / "in")
    assert len(caplog.messages) == 1 and "4 other files passed over" in caplog.messages[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root lists every folder")
def test_a_folder_that_cannot_be_listed_is_named_by_the_system(tmp_path):
    (tmp_path / "in").mkdir(mode=0)
    with pytest.raises(UserError, match="Permission denied"):
        find_images(tmp_path / "in")


def test_a_folder_that_cannot_be_listed_is_a_failure(run, tmp_path, capsys, caplog, monkeypatch):
    photo(tmp_path / "in/a.png")
    photo(tmp_path / "in/locked/b.png")
    listed = os.scandir

    def scandir(path):
        if os.path.basename(path) == "locked":
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert run("in") == 1
    assert capsys.readouterr().err == "in/locked: Permission denied\n"
    assert find_images(tmp_path / "in") == ["a.png"]
    assert caplog.messages == [f"{tmp_path}/in/locked: Permission denied"]


def test_links_are_followed_and_loops_are_not(run, tmp_path):
    photo(tmp_path / "elsewhere/b.png")
    photo(tmp_path / "in/a.png")
    (tmp_path / "in/0").symlink_to(tmp_path / "in")
    (tmp_path / "in/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/up").symlink_to(tmp_path / "in")
    (tmp_path / "in/self.png").symlink_to("self.png")
    assert run("in") == 1  # the link to itself
    assert outputs(tmp_path / "colorized") == ["a.png", "link/b.png"]


# Names


@pytest.mark.parametrize("name", [b"p-\xe9.jpg", b"two\nlines.jpg", b"\x1b[2J.jpg"])
def test_odd_names_of_good_and_broken_files(run, tmp_path, capsys, name):
    good, bad = (os.fsdecode(os.path.join(os.fsencode(tmp_path / "in"), prefix + name)) for prefix in (b"a", b"b"))
    (tmp_path / "in").mkdir()
    Image.fromarray(RGB).save(good)
    with open(bad, "wb") as file:
        file.write(b"nope")
    assert run("in") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.strip().isascii() and error.strip().isprintable()
    assert "not a photograph" in error and len(os.listdir(tmp_path / "colorized")) == 1
    assert prepare.main([str(tmp_path / "in"), str(tmp_path / "set"), "--jobs", "1", "--near-gray", "0"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.strip().isprintable() and error.count("jpg") == 1


def test_a_folder_named_as_a_photograph_is_a_folder(run, tmp_path):
    photo(tmp_path / "in/x.jpg/a.png")
    assert run("in") == 0
    assert outputs(tmp_path / "colorized") == ["x.jpg/a.png"]


# Files that are none, and bombs


@pytest.mark.parametrize("reader", [images.read, images.shape, lambda path: images.thumbnail(path, 8)])
def test_a_named_pipe_is_not_waited_for(tmp_path, reader):
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(UserError, match=r"x.png: not a regular file$"):
        reader(tmp_path / "x.png")


def test_a_pipe_and_a_device_cost_one_line_each(run, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    assert run("pipe", "/dev/zero") == 1
    assert capsys.readouterr().err.splitlines() == ["pipe: not a regular file", "/dev/zero: not a regular file"]


def test_a_header_of_65000_by_65000_pixels_is_refused(tmp_path):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 65000, 65000, 8, 2, 0, 0, 0))
    png = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    assert "million pixels" in refusal(tmp_path / "x.png", png)
    bmp = bytearray(by_pil("BMP"))
    bmp[18:26] = struct.pack("<ii", 65000, 65000)
    assert "million pixels" in refusal(tmp_path / "x.bmp", bytes(bmp))


@pytest.mark.parametrize("size", [(1, 1), (1, 65000), (65000, 1)])
def test_a_picture_of_one_pixel_a_side_is_colored(run, tmp_path, size):
    Image.new("L", size, 90).save(tmp_path / "x.png")
    assert run("x.png") == 0
    assert images.shape(tmp_path / "colorized/x.png") == size[::-1]


def test_a_jpeg_of_thousands_of_scans_is_refused_at_once(tmp_path):
    data = by_pil("JPEG", Image.new("L", (2000, 2000)), progressive=True)
    scan = data.rindex(b"\xff\xda")
    assert "scans" in refusal(tmp_path / "x.jpg", data[:-2] + data[scan:-2] * 3000 + data[-2:])


def test_many_scans_of_a_small_jpeg_are_fine(tmp_path):
    data = by_pil("JPEG", progressive=True)
    (tmp_path / "x.jpg").write_bytes(data)
    assert images.read(tmp_path / "x.jpg").levels.shape == RGB.shape
    with open(tmp_path / "x.jpg", "rb") as file:
        limits.require_few_scans(file, 10**8)


def tag_bomb(tags, size):
    """A TIFF whose tags all hold the same bytes."""
    entries = b"".join(struct.pack("<HHLL", 40000 + i, 7, size, 8) for i in range(tags))
    return b"II*\0" + struct.pack("<L", 8) + struct.pack("<H", tags) + entries + bytes(4 + size)


def test_a_tiff_whose_tags_share_their_bytes_is_refused(tmp_path):
    assert "metadata" in refusal(tmp_path / "x.tif", tag_bomb(2000, 10**6))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_exif_block_whose_tags_share_their_bytes_counts_as_missing(tmp_path, kind, monkeypatch):
    block = b"Exif\0\0" + tag_bomb(1000, 40_000)
    (tmp_path / "x").write_bytes(by_pil(kind, exif=block))
    monkeypatch.setattr(Image.Exif, "load", lambda *arguments: pytest.fail("read"))
    assert images.read(tmp_path / "x").exif is None


def test_a_tiff_whose_strips_share_their_bytes_is_refused(tmp_path):
    data = bytearray(tiff(np.zeros((700, 400, 3), np.uint8), compression="zlib"))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tag = file.pages[0].tags["StripByteCounts"]
    data[tag.valueoffset : tag.valueoffset + 4 * tag.count] = struct.pack("<L", len(data) // 2) * tag.count
    data += os.urandom(2**20)
    data[tag.valueoffset : tag.valueoffset + 4 * tag.count] = struct.pack("<L", len(data) - 10**5) * tag.count
    assert "strips or tiles of" in refusal(tmp_path / "x.tif", bytes(data))


def test_a_deflated_strip_of_a_thousand_times_its_pixels_is_refused(tmp_path):
    data = bytearray(tiff(RGB[:7], compression="zlib"))
    bomb = zlib.compress(bytes(10**7), 9)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        offsets, counts = file.pages[0].tags["StripOffsets"], file.pages[0].tags["StripByteCounts"]
        struct.pack_into("<L", data, offsets.offset + 8, len(data))
        struct.pack_into("<L", data, counts.offset + 8, len(bomb))
    assert "many times its pixels" in refusal(tmp_path / "x.tif", bytes(data) + bomb)


def test_a_tiff_of_floats_of_more_bytes_than_fit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(images.tiff, "_BYTES", FLOATS.nbytes - 1)
    assert "MiB of pixels" in refusal(tmp_path / "x.tif", tiff(FLOATS))


def test_a_picture_without_pixels_is_refused(run, tmp_path, capsys):
    data = bytearray(tiff(PLANES, planarconfig="separate"))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        struct.pack_into("<L", data, file.pages[0].tags["ImageWidth"].offset + 8, 0)
    assert refusal(tmp_path / "x.tif", bytes(data))
    assert run("x.tif") == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_broken_description_is_no_broken_picture(tmp_path):
    data = tiff(FLOATS)
    assert data.count(b'{"shape"') == 1
    (tmp_path / "x.tif").write_bytes(data.replace(b'{"shape"', b'{"shap(('))
    assert images.read(tmp_path / "x.tif").levels.shape == RGB.shape


def test_no_other_program_is_started(tmp_path, monkeypatch):
    Image.fromarray(RGB).save(tmp_path / "x.eps")
    (tmp_path / "x.eps").rename(tmp_path / "x.jpg")
    assert refusal(tmp_path / "x.jpg", (tmp_path / "x.jpg").read_bytes()).startswith("not a photograph")
