"""The page of `colorgan app`: its server, and whole photographs in a real browser."""

import io
import re
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
from PIL import Image
from skimage import data
from starlette.testclient import TestClient

from colorgan import app, load, serving
from colorgan.errors import UserError
from colorgan.webpage import files, server

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
DROP = """([name, type, bytes]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def built():
    try:
        return files.built_page()
    except UserError as error:
        pytest.skip(str(error))


@contextmanager
def served(page):
    """The address of a server in a thread of its own."""
    with serving.bind_socket("127.0.0.1", 0) as listener:
        running = serving.make_server(server.make_app(page, serving.accepted_hosts(listener)))
        thread = Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        yield serving.address("127.0.0.1", listener)
        running.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def address(built):
    with served(built) as address:
        yield address


@pytest.fixture
def visit(chromium, address):
    """Opens the page: visit(address, **options of the context); nothing may go elsewhere or be complained of."""
    contexts, complaints, requested, allowed = [], [], set(), {"blob:"}

    def visit(to=address, **options):
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        contexts[-1].on("request", lambda request: requested.add(origin(request.url)))
        allowed.add(origin(to))
        page.goto(to)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []
    assert requested <= allowed


def origin(url):
    return re.match(r"blob:|\w+://[^/]*", url)[0]


def encoded(pixels, format, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


def color(page, name, content):
    """Gives the page a file, waits until it is colored, and downloads it: (name, pixels, PIL image)."""
    page.set_input_files("#files", {"name": name, "mimeType": "", "buffer": content})
    return download(page)


def download(page):
    page.locator("#download:enabled").wait_for()
    with page.expect_download() as waiting:
        page.locator("#download").click()
    image = Image.open(io.BytesIO(waiting.value.path().read_bytes()))
    return waiting.value.suggested_filename, np.array(image), image


def share_within(got, expected, levels):
    """The share of the pixels that differ by no more in any channel."""
    return (np.abs(got.astype(int) - expected).max(axis=-1) <= levels).mean()


def test_a_dropped_photograph_is_colored_as_in_python(visit):
    photograph = data.astronaut()
    page = visit()
    page.evaluate(DROP, ["old.png", "image/png", list(encoded(photograph, "PNG"))])
    name, got, _ = download(page)
    assert name == "old-color.png"
    assert share_within(got, load().colorize(photograph), 2) >= 0.99


def test_saturation_and_predicted_size_are_those_of_python(visit):
    photograph = data.chelsea()
    page = visit()
    color(page, "cat.png", encoded(photograph, "PNG"))
    for control, value in (("saturation", "1.6"), ("size", "96")):
        page.locator(f"#{control}").fill(value)
        page.locator('#list [data-state="colored"]').wait_for()
    _, got, _ = download(page)
    assert share_within(got, load().colorize(photograph, size=96, saturation=1.6), 2) >= 0.99


def test_a_jpeg_stays_one_upright_with_its_exif_and_all_of_its_color(visit):
    photograph = data.astronaut()[:300]
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Leica", 6  # the maker, and turned by a quarter
    content = encoded(np.rot90(photograph), "JPEG", quality=95, exif=exif.tobytes())
    name, got, image = color(visit(), "old.JPG", content)
    assert (name, image.format, image.size) == ("old-color.JPG", "JPEG", (512, 300))
    assert (image.getexif()[0x010F], image.getexif()[0x0112]) == ("Leica", 1)
    assert [component[1:3] for component in image.layer] == [(1, 1)] * 3  # color at full resolution
    shown = np.rot90(np.array(Image.open(io.BytesIO(content))), -1)
    assert np.abs(got - load().colorize(shown).astype(float)).mean() < 2  # of a JPEG


def test_a_png_keeps_its_exif_and_its_alpha(visit):
    pixels = np.dstack([data.chelsea(), np.full((300, 451), 255, np.uint8)])
    pixels[:100, :, 3] = 0
    exif = Image.Exif()
    exif[0x010F] = "Leica"
    _, got, image = color(visit(), "a.png", encoded(pixels, "PNG", exif=exif.tobytes()))
    assert image.getexif()[0x010F] == "Leica"
    assert (got[..., 3] == pixels[..., 3]).all()


def test_a_file_that_is_no_photograph_is_one_line_and_the_others_go_on(visit):
    page = visit()
    files = {"a.txt": b"no picture", "b.png": encoded(data.chelsea(), "PNG")}
    page.set_input_files("#files", [{"name": n, "mimeType": "", "buffer": b} for n, b in files.items()])
    page.get_by_text("1 of 2 colored, 1 failed").wait_for()
    assert "failed: this browser cannot read it" in page.locator("#list li").first.inner_text()


def test_before_and_after_are_compared_by_keyboard(visit):
    page = visit()
    color(page, "cat.png", encoded(data.chelsea(), "PNG"))
    split = page.get_by_role("slider", name="Before and after")
    split.focus()
    page.keyboard.press("Home")
    assert page.locator("#after").evaluate("image => getComputedStyle(image).clipPath") == "inset(0px 0px 0px 0%)"


def test_a_phone_needs_no_scrolling_sideways(visit):
    page = visit(**PHONE)
    color(page, "a_long_name_without_any_space_in_it_that_could_break_" * 3 + ".png", encoded(data.coffee(), "PNG"))
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_export_works_below_a_path_of_any_server(visit, built, tmp_path, capsys):
    assert app.main(["--export", str(tmp_path / "site/colors")]) == 0
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=tmp_path / "site")) as host:
        Thread(target=host.serve_forever).start()
        try:
            page = visit(f"http://127.0.0.1:{host.server_port}/colors/")
            assert page.evaluate("crossOriginIsolated") is False  # such a server sends no headers: one thread
            name, _, _ = color(page, "cat.png", encoded(data.chelsea(), "PNG"))
        finally:
            host.shutdown()
    assert name == "cat-color.png"


@pytest.fixture
def page_folder(tmp_path):
    """A page as it is built, but for what is in its files."""
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("the page")
    (folder / "assets/threads.mjs").write_text("threads")
    (tmp_path / "secret").write_text("secret")
    return folder


def client(page_folder):
    return TestClient(server.make_app(page_folder, serving.LOOPBACK_HOSTS), base_url="http://127.0.0.1:8000")


def test_the_page_may_use_threads_and_reach_nothing_else(page_folder):
    response = client(page_folder).get("/")
    assert response.text == "the page"
    assert response.headers["cross-origin-embedder-policy"] == "require-corp"
    assert response.headers["cross-origin-opener-policy"] == "same-origin"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")


def test_modules_have_the_type_without_which_browsers_refuse_them(page_folder):
    assert client(page_folder).get("/assets/threads.mjs").headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("name", ["nothing", "%2e%2e/secret", "..%2fsecret", "assets"])
def test_no_other_file_is_handed_out(page_folder, name):
    assert client(page_folder).get(f"/{name}").status_code == 404


def test_another_host_is_refused(page_folder):
    assert client(page_folder).get("/", headers={"host": "evil.example"}).status_code == 400


def test_only_this_machine_can_connect_by_default():
    assert app._parser().parse_args([]).host == "127.0.0.1"


def fails(capsys, *arguments):
    """The one line of a command that does not work."""
    assert app.main([str(argument) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


def test_a_page_that_is_not_built_says_how(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(files, "BUILT", tmp_path)
    assert "make app" in fails(capsys)


def test_an_export_replaces_nothing(page_folder, monkeypatch, capsys):
    monkeypatch.setattr(files, "BUILT", page_folder)
    assert "exists already" in fails(capsys, "--export", page_folder.parent)
    assert (page_folder.parent / "secret").exists()


def test_an_export_is_the_whole_page(page_folder, monkeypatch, tmp_path):
    monkeypatch.setattr(files, "BUILT", page_folder)
    assert app.main(["--export", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out/assets/threads.mjs").read_text() == "threads"
    assert {path.name for path in tmp_path.iterdir()} == {"page", "secret", "out"}
