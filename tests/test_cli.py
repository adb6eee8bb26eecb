"""What the commands share: options that say in one line what is wrong with them."""

import argparse

import pytest
import torch

from colorgan.cli import (
    Parser,
    add_device_option,
    add_network_options,
    existing_path,
    new_file,
    pick_device,
    positive_int,
)
from colorgan.errors import UserError


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "two", "", "1e3"])
def test_a_number_that_is_not_whole_and_above_0_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number above 0"):
        positive_int(text)


def test_a_whole_number_is_one():
    assert positive_int("017") == 17


def test_only_what_is_there_is_read(tmp_path):
    assert existing_path(str(tmp_path)) == tmp_path
    with pytest.raises(argparse.ArgumentTypeError, match="x: no such file or folder"):
        existing_path(str(tmp_path / "x"))


def test_the_folder_of_a_new_file_is_made(tmp_path):
    assert new_file(str(tmp_path / "a/b/c.json")) == tmp_path / "a/b/c.json"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


@pytest.mark.parametrize(("name", "words"), [("old", "exists already"), ("old/x", r"old/x: "), ("", "exists already")])
def test_a_file_is_never_written_over(tmp_path, name, words):
    (tmp_path / "old").write_text("precious")
    with pytest.raises(UserError, match=words):
        new_file(str(tmp_path / name))
    assert (tmp_path / "old").read_text() == "precious"


def test_a_parser_complains_in_one_line_that_names_the_help():
    parser = Parser()
    add_device_option(parser)
    with pytest.raises(UserError, match=r"^argument --device: invalid choice: [^\n]*; see --help$"):
        parser.parse_args(["--device", "abacus"])


def test_a_network_may_be_skipped_and_another_one(tmp_path):
    parser = Parser()
    add_network_options(parser)
    args = parser.parse_args(["--skip", "lpips", "--classifier", str(tmp_path), "--skip", "fid"])
    assert (args.skip, args.classifier) == (["lpips", "fid"], tmp_path)
    assert parser.parse_args([]).skip == []


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu"), (True, False, "cuda")],
)
def test_auto_is_the_fastest_device_there_is(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device("auto") == expected
    assert pick_device("cpu") == "cpu"


def test_an_absent_device_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="--device cuda: this machine has none"):
        pick_device("cuda")
