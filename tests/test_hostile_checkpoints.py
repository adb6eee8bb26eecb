"""Checkpoints, weights and other data that strangers send: one line each, and memory that their size justifies."""

import contextlib
import io
import json
import os
import zipfile

import pytest
import torch

from colorgan import archives, cli, load
from colorgan.allocation import AllocationLimit, TooLarge
from colorgan.codecs.bins import read_prior
from colorgan.colorizer import checkpoint
from colorgan.colorizer.hints import read_hints
from colorgan.config import resolving
from colorgan.data import preparation
from colorgan.errors import UserError
from colorgan.nets import bodies, published
from colorgan.study import folder as study_folder
from colorgan.systems.building import load_classifier
from tests.mutating import tiny_checkpoint
from tests.test_sample import photo


@pytest.fixture
def content():
    return tiny_checkpoint()


@pytest.fixture
def refusal(tmp_path, monkeypatch):
    """The line by which a checkpoint is refused, before torch makes anything large."""
    path = tmp_path / "x.ckpt"

    def run(content, call=load, **options):
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path, **options)
        with pytest.raises(UserError) as error:
            call(path)
        assert str(error.value).startswith(f"{path}: ")
        return str(error.value).removeprefix(f"{path}: ")

    return run


def with_net(content, **changes):
    experiment = content["experiment"]
    return {**content, "experiment": {**experiment, "net": {**experiment["net"], **changes}}}


def test_the_whole_checkpoint_loads(tmp_path, content):
    for new in (True, False):
        torch.save(content, tmp_path / "x.ckpt", _use_new_zipfile_serialization=new)
        assert load(tmp_path / "x.ckpt").size == 32


@pytest.mark.parametrize("value", [None, "gone", [1], 7])
@pytest.mark.parametrize("key", ["data", "net", "codec", "name"])
def test_a_key_of_another_kind_costs_a_line_at_most(tmp_path, content, key, value):
    content["experiment"][key] = value
    torch.save(content, tmp_path / "x.ckpt")
    with contextlib.suppress(UserError):
        load(tmp_path / "x.ckpt")


@pytest.mark.parametrize("width", [10**6, 10**9, 2**62])
def test_a_net_of_a_billion_channels_is_not_built(refusal, content, width):
    assert "far larger than its weights" in refusal(with_net(content, width=width))


@pytest.mark.parametrize("changes", [{"width": -1}, {"width": 0}, {"size": 10**9}, {"size": -4}, {"width": 10**30}])
def test_a_net_of_impossible_numbers_is_one_line(refusal, content, changes):
    assert refusal(with_net(content, **changes))


@pytest.mark.parametrize("name", ["os.system", "../unet", "__init__", ["unet"], {"name": "unet"}, 7])
def test_a_net_outside_the_tables_is_refused(refusal, content, name):
    assert "unknown" in refusal(with_net(content, name=name))


@pytest.mark.parametrize("size", [10**9, 0, -1, float("inf"), float("nan")])
def test_a_size_at_which_nobody_predicts_color_is_refused(refusal, content, size):
    content["experiment"]["data"]["size"] = size
    assert "data.size" in refusal(content)


def test_a_tensor_of_terabytes_in_a_small_file_is_refused(refusal, content):
    content["state_dict"]["model.x"] = torch.zeros(1).expand(10**6, 10**6)
    assert "more numbers than the file has" in refusal(content)


def test_a_tensor_beyond_its_storage_is_refused(refusal, content):
    buffer = io.BytesIO()
    torch.save({**content, "state_dict": {"model.x": torch.zeros(3, 77)}}, buffer)
    data = buffer.getvalue()
    assert data.count(b"K\x03KM") == 1  # the shape, as the pickle has it
    assert refusal(data.replace(b"K\x03KM", b"K\xffK\xff"))


def test_thousands_of_views_of_one_tensor_are_refused(refusal, content):
    base = torch.zeros(10**5)
    content["state_dict"] = {f"model.{i}": base for i in range(200)}
    assert "tensors of" in refusal(content)


def test_a_compressed_archive_is_refused(refusal, content, tmp_path):
    content["state_dict"]["model.x"] = torch.zeros(10**6)
    torch.save(content, tmp_path / "whole")
    packed = io.BytesIO()
    with zipfile.ZipFile(tmp_path / "whole") as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    assert "compressed" in refusal(packed.getvalue())


def test_a_buffer_of_any_size_is_not_made(refusal):
    pickled = b"\x80\x02c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R."
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("x/data.pkl", pickled)
        archive.writestr("x/version", "3\n")
    assert "memory of its own" in refusal(packed.getvalue())


def test_objects_that_nest_in_each_other_are_refused(refusal, content):
    nested = []
    for _ in range(40):
        nested = [nested, nested]
    content["experiment"]["paper"] = nested
    assert "far too long" in refusal(content)
    content["experiment"]["paper"] = "x" * 10**7
    assert "far too long" in refusal(content)


def test_an_experiment_of_other_things_than_text_and_numbers_is_refused(refusal, content):
    for odd in (torch.zeros(3), 10**100, {(1, 2): torch.float}):
        content["experiment"]["paper"] = odd
        assert "text and numbers" in refusal(content)


@pytest.mark.parametrize("odd", [{7: torch.zeros(1)}, {"model.x": 7}, {"model.x": [torch.zeros(1)]}])
def test_a_state_of_other_things_than_weights_is_refused(refusal, content, odd):
    assert "other things than weights" in refusal({**content, "state_dict": odd})


def test_a_changed_weight_is_noticed_by_its_checksum(refusal, content, tmp_path):
    torch.save(content, tmp_path / "whole")
    data = bytearray((tmp_path / "whole").read_bytes())
    with zipfile.ZipFile(tmp_path / "whole") as archive:
        entry = max(archive.infolist(), key=lambda entry: entry.file_size)
    data[entry.header_offset + entry.file_size // 2] ^= 64
    assert "broken one" in refusal(bytes(data))


def test_the_evaluations_classifier_is_bounded_too(refusal, content):
    system = {"name": "classifier", "body": "resnet18", "color": True, "classes": 10**9}
    content["experiment"] = {"name": "judge", "system": system, "data": content["experiment"]["data"]}
    assert "far larger than its weights" in refusal(content, load_classifier)


def test_weights_of_a_body_are_bounded_too(tmp_path, content):
    system = {"name": "classifier", "body": "resnet18", "color": False, "classes": 10**9}
    state = {f"ema.module.{key}": value for key, value in content["state_dict"].items()}
    torch.save({"experiment": {"system": system}, "state_dict": state}, tmp_path / "x.ckpt")
    with pytest.raises(UserError, match="not weights of 'resnet18'"):
        bodies.make_body("resnet18", False, str(tmp_path / "x.ckpt"))
    torch.save({"fc.weight": torch.zeros(1).expand(10**9, 512)}, tmp_path / "x.pth")
    with pytest.raises(UserError, match="refused: a tensor"):
        bodies.make_body("resnet18", False, str(tmp_path / "x.pth"))


@pytest.mark.parametrize("data", [b"", b"PK\3\4", b"\x80\x02}q\0."])
def test_a_broken_file_in_a_package_of_weights_is_one_line(tmp_path, monkeypatch, data):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/x.pth").write_bytes(data)
    monkeypatch.setattr(published, "_folders", lambda package: [tmp_path])
    with pytest.raises(UserError, match=r"x\.pth: not the weights of .*, or a broken file; install [\w-]+ again$"):
        published.read_package("tf_efficientnet_lite0")


def test_a_pipe_is_no_checkpoint(tmp_path):
    os.mkfifo(tmp_path / "x.ckpt")
    with pytest.raises(UserError, match="no such checkpoint"):
        load(tmp_path / "x.ckpt")
    with pytest.raises(archives.Refused, match="regular"):
        archives.read(tmp_path / "x.ckpt")


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.nn.Linear(10**5, 10**5),
        lambda: torch.zeros((10**9, 10)),
        lambda: torch.full((10**6, 10**6), 1.0),
        lambda: torch.arange(10**12),
        lambda: torch.linspace(0, 1, 10**12),
        lambda: torch.eye(10**6),
        lambda: torch.empty(size=(10**9, 9)),
        lambda: [torch.zeros(100) for _ in range(10**9)],
    ],
)
def test_what_counts_as_memory(make):
    with pytest.raises(TooLarge), AllocationLimit(10**7):
        make()


def test_a_limit_is_no_hindrance_below_it():
    with AllocationLimit(10**5) as limit:
        torch.nn.Linear(100, 100)(torch.zeros(1, 100))
    assert 10**5 - limit.left == 4 * (100 * 100 + 100 + 100)


# Other files


def test_a_yaml_of_aliases_of_aliases_is_refused(tmp_path):
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    (tmp_path / "x.yaml").write_text("\n".join(lines))
    with pytest.raises(UserError, match="20 aliases"):
        resolving.load(tmp_path / "x.yaml", [], {})
    (tmp_path / "x.yaml").write_text("a: " + "x" * (1 << 21))
    with pytest.raises(UserError, match="characters"):
        resolving.load(tmp_path / "x.yaml", [], {})


def test_json_that_nests_without_end_is_one_line(tmp_path):
    (tmp_path / "x.json").write_text("[" * 10**6)
    for read in (lambda path: read_hints(path, []), read_prior):
        with pytest.raises(UserError, match=r"x\.json: not"):
            read(tmp_path / "x.json")
    with pytest.raises(UserError, match="regular"):
        read_prior("/dev/zero")


@pytest.mark.parametrize(
    "place", ["../../precious.jpg", "train/../../precious.jpg", "/tmp/precious.jpg", "precious.jpg"]
)
def test_a_manifest_of_a_stranger_removes_nothing(tmp_path, place):
    line = {"picture": "a/b.jpg", "kept": place}
    good = {"picture": "a/c.jpg", "kept": "val/sea/c.jpg"}
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, [line, good, 7, [], {"kept": 1}])) + "\n\xff")
    assert list(preparation._read_lines(tmp_path / "manifest.jsonl")) == [good]


@pytest.mark.parametrize("name", ["..", "../other", "/etc", "", "a/b"])
def test_a_study_of_a_stranger_reads_no_other_folder(tmp_path, name):
    fields = {"systems": [name], "pictures": ["x"] * 99, "size": 8, "seed": 0, "protocol": {}}
    (tmp_path / "study.json").write_text(json.dumps(fields))
    with pytest.raises(UserError, match="leads out of the study"):
        study_folder.load(tmp_path)


def test_a_link_in_out_leads_nowhere_else(run, tmp_path, capsys):
    photo(tmp_path / "in/sub/a.png")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/sub").symlink_to(tmp_path / "elsewhere")
    assert run("in", "--out", "out") == 1
    assert "leads out of out" in capsys.readouterr().err
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_checkpoint_never_makes_a_command_fail_otherwise(tmp_path, content, capsys):
    torch.save(with_net(content, width=10**9), tmp_path / "x.ckpt")
    assert cli.run(lambda: load(tmp_path / "x.ckpt") and 0, "") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert checkpoint.MOST_PX == 4096
