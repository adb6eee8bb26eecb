"""Checkpoints that are elsewhere, against a fake of W&B."""

import shutil
from pathlib import Path

import pytest
import wandb

from colorgan import load, remote, sample, video
from colorgan.errors import UserError
from colorgan.packaged import released
from tests.filming import panned, write_video


class FakeApi:
    """As much of `wandb.Api` as is used: projects with one artifact."""

    asked, downloads = [], 0

    def artifact(self, name, type):
        FakeApi.asked.append((name, type))
        if not name.startswith("me/colors/model-abc:"):
            raise wandb.errors.CommError(f"artifact {name!r} not found\nin the project")
        return self

    @property
    def digest(self):
        return "0123"

    def download(self, root):
        FakeApi.downloads += 1
        Path(root).mkdir(parents=True)
        shutil.copy(released(), Path(root) / "model.ckpt")
        return root


@pytest.fixture
def api(monkeypatch, tmp_path):
    monkeypatch.setattr("wandb.Api", FakeApi)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(FakeApi, "asked", [])
    monkeypatch.setattr(FakeApi, "downloads", 0)
    return FakeApi


@pytest.mark.parametrize(
    "address, alias", [("abc:best", "best"), ("abc", "best"), ("abc:last", "last"), ("abc:v3", "v3")]
)
def test_an_address_names_the_artifact_that_a_run_uploads(api, address, alias):
    path = remote.fetch(f"wandb://me/colors/{address}")
    assert api.asked == [(f"me/colors/model-abc:{alias}", "model")]
    assert path.read_bytes() == released().read_bytes()


def test_what_was_fetched_is_not_fetched_again(api):
    assert remote.fetch("wandb://me/colors/abc") == remote.fetch("wandb://me/colors/abc")
    assert api.downloads == 1


def test_load_takes_an_address(api):
    assert load("wandb://me/colors/abc:best").size == load().size


def test_commands_take_an_address(api, folder, tmp_path):
    picture = str(folder / "sea/0.png")
    options = ["--device", "cpu", "--size", "32", "--out", str(tmp_path / "out")]
    assert sample.main(["--ckpt", "wandb://me/colors/abc:best", *options, picture]) == 0


def test_a_video_takes_an_address(api, tmp_path):
    clip = write_video(tmp_path / "gray.mkv", panned(3), sound=False)
    options = ["--ckpt", "wandb://me/colors/abc", "--device", "cpu", "--size", "32"]
    assert video.main([*options, str(clip), str(tmp_path / "colored.mkv")]) == 0


@pytest.mark.parametrize(
    "address, named",
    [
        ("wandb://me/colors/other:best", "not found; was it uploaded (wandb.log_model=best)"),
        ("wandb://colors/abc", "write wandb://ENTITY/PROJECT/RUN:best"),
        ("s3://bucket/x.ckpt", "unknown scheme 's3'; there are hf://, wandb://"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_line(api, address, named):
    with pytest.raises(UserError) as error:
        remote.fetch(address)
    line = str(error.value)
    assert line.startswith(f"{address}: ") and named in line and len(line.splitlines()) == 1


def test_a_path_stays_a_path():
    assert remote.fetch("runs/a:b.ckpt") == Path("runs/a:b.ckpt")
