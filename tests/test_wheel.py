"""The wheel, installed beside this environment's packages and used in an empty folder outside the clone."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from PIL import Image

from colorgan import __version__
from tests.conftest import TINY

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def colorgan(tmp_path_factory):
    """Runs the installed console script in an empty folder: colorgan(*arguments) -> (exit code, output, errors)."""
    root = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(root), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = root.glob("*.whl")
    venv.create(root / "venv", with_pip=False)
    (packages,) = (root / "venv").glob("lib/python*/site-packages")
    python, script = root / "venv/bin/python", root / "venv/bin/colorgan"
    install = ["pip", "--python", str(python), "install", "--no-deps", "--no-index", "--quiet", str(wheel)]
    subprocess.run([sys.executable, "-m", *install], check=True, capture_output=True)
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))  # torch and the like, but not the clone
    (root / "empty").mkdir()

    def run(*arguments):
        environment = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "HOME": str(root)}
        done = subprocess.run(
            [script, *arguments], cwd=root / "empty", env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    run.folder = root / "empty"
    return run


def test_it_colors_with_the_released_generator(colorgan):
    Image.linear_gradient("L").resize((40, 30)).save(colorgan.folder / "old.jpg")
    assert colorgan("sample", "old.jpg") == (0, "1 colored, 0 skipped, 0 failed: see colorized\n", "")
    with Image.open(colorgan.folder / "colorized/old.jpg") as image:
        assert (image.mode, image.size) == ("RGB", (40, 30))


def test_it_knows_its_experiments_by_name(colorgan):
    code, output, errors = colorgan("train", "gan", "--dry-run", "optim.lr=0.5")
    assert (code, errors) == (0, "")
    assert "lr: 0.5" in output and "run_dir: checkpoints/gan" in output


def test_it_trains_into_the_current_folder_and_colors_with_the_result(colorgan):
    code, _, errors = colorgan("train", "gan", *TINY)
    assert code == 0, errors
    assert (colorgan.folder / "checkpoints/gan/best.ckpt").exists()
    Image.linear_gradient("L").save(colorgan.folder / "mine.png")
    assert colorgan("sample", "--ckpt", "checkpoints/gan/best.ckpt", "mine.png")[0] == 0


@pytest.mark.skipif(not (ROOT / "colorgan/webpage/built/index.html").exists(), reason="needs `make app` before")
def test_it_holds_the_page(colorgan):
    assert colorgan("app", "--export", "site")[0] == 0
    files = {path.suffix for path in (colorgan.folder / "site").rglob("*")}
    assert {".html", ".js", ".css", ".wasm", ".onnx"} <= files


def test_the_help_of_a_command_shows_how_it_was_called(colorgan):
    assert colorgan("sample", "--help")[1].startswith("usage: colorgan sample ")


def test_it_says_its_version(colorgan):
    assert colorgan("--version") == (0, f"colorgan {__version__}\n", "")
