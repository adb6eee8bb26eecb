"""Models on the Hugging Face hub, against a small one on this machine."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from huggingface_hub import constants
from PIL import Image

from colorgan import Colorizer, cli, evaluate, export, hub, load, release, remote, sample
from colorgan.codecs.regress import Regress
from colorgan.colorizer.colorizer import Conditions
from colorgan.errors import UserError
from colorgan.nets.unet import UNet
from tests.fake_hub import TOKEN, Hub, serving
from tests.mutating import tiny_checkpoint

L = 100 * torch.rand(2, 1, 40, 56, generator=torch.Generator().manual_seed(1))
ADDRESS = "hf://ann/colors"
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of huggingface_hub's own uploads


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A hub that huggingface_hub takes for the real one, with an empty cache."""
    fake = Hub()
    with serving(fake) as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        yield fake


@pytest.fixture
def ckpt(tmp_path):
    """Writes a checkpoint of a tiny U-Net with a validation behind it: ckpt(seed) -> path."""

    def make(seed=0):
        content = tiny_checkpoint()
        content["experiment"] |= {"name": "tiny", "paper": "Nazeri 2018", "run_dir": str(tmp_path)}
        content["metrics"] = {"val/psnr": 21.25, "val/ab_error": 13.5}
        for value in content["state_dict"].values():
            if value.is_floating_point():
                value += 0.01 * seed
        torch.save(content, tmp_path / f"{seed}.ckpt")
        return tmp_path / f"{seed}.ckpt"

    return make


def predict(model):
    with torch.no_grad():
        return model.predict(Conditions(L))


def push(ckpt, **options):
    return load(ckpt).push_to_hub("ann/colors", token=TOKEN, **options)


def test_what_was_pushed_predicts_the_same(server, ckpt):
    assert "/commit/" in push(ckpt())
    expected = predict(load(ckpt()))
    assert torch.equal(predict(load(ADDRESS)), expected)
    assert torch.equal(predict(Colorizer.from_pretrained("ann/colors")), expected)


def test_a_second_push_is_the_latest_and_the_first_keeps_its_commit(server, ckpt):
    first = push(ckpt(0)).rpartition("/")[2]
    push(ckpt(1))
    push(ckpt(2), branch="trial")
    for revision, seed in (("", 1), (f"@{first}", 0), ("@trial", 2)):
        assert torch.equal(predict(load(ADDRESS + revision)), predict(load(ckpt(seed))))
    assert torch.equal(predict(Colorizer.from_pretrained("ann/colors", revision=first)), predict(load(ckpt(0))))


def test_the_card_says_what_the_checkpoint_says_and_no_path(server, ckpt, tmp_path):
    push(ckpt(), license="cc-by-4.0")
    files = server.repos["ann/colors"][server.heads["ann/colors"]["main"]]
    assert {*files} == {".gitattributes", "README.md", "config.json", "model.safetensors"}
    _, header, text = files["README.md"].decode().split("---\n", 2)
    header = yaml.safe_load(header)
    assert (header["license"], header["library_name"], header["pipeline_tag"]) == (
        "cc-by-4.0",
        "colorgan",
        "image-to-image",
    )
    assert {"colorization", "unet", "regress"} <= {*header["tags"]}
    (index,) = header["model-index"]
    assert index["name"] == "tiny"
    assert [(m["type"], m["value"]) for m in index["results"][0]["metrics"]] == [("psnr", 21.25), ("ab_error", 13.5)]
    assert "Nazeri 2018" in text and "| PSNR (dB) | 21.25 |" in text and f'load("{ADDRESS}")' in text
    assert json.loads(files["config.json"])["experiment"]["net"]["name"] == "unet"
    assert not [name for name, content in files.items() if str(tmp_path).encode() in content]


def test_a_license_that_is_not_stated_is_unknown(server, ckpt):
    push(ckpt())
    card = server.repos["ann/colors"][server.heads["ann/colors"]["main"]]["README.md"]
    assert b"license: unknown" in card


def test_every_command_takes_an_address(server, ckpt, folder, tmp_path):
    push(ckpt())
    Image.new("L", (40, 30), 90).save(tmp_path / "old.png")
    assert sample.main(["--ckpt", ADDRESS, "--out", str(tmp_path / "out"), str(tmp_path / "old.png")]) == 0
    assert release.main([ADDRESS, str(tmp_path / "small.ckpt")]) == 0
    assert export.main([ADDRESS, str(tmp_path / "x.safetensors")]) == 0
    results = tmp_path / "x.json"
    command = ["--ckpt", f"{ADDRESS}@main", "--data", str(folder), "--size", "32", "--skip", "lpips", "--skip", "fid"]
    assert evaluate.main([*command, "--json", str(results), "--device", "cpu"]) == 0
    assert "tiny" in results.read_text()
    assert load(tmp_path / "small.ckpt").metrics == load(tmp_path / "x.safetensors").metrics == load(ADDRESS).metrics


def test_a_run_starts_with_weights_of_the_hub(server, ckpt, tiny_train, tmp_path):
    push(ckpt())
    assert tiny_train("--init", ADDRESS) == 0
    metrics = load(tmp_path / "run/last.ckpt").metrics
    assert metrics and all(key.startswith("val/") for key in metrics)


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("hf://ann/nothing", "no such model, or a private one"),
        ("hf://ann/colors@nowhere", "no such branch, tag or commit"),
        ("hf://ann/text", r"holds no model\.safetensors"),
        ("hf://colors", "write hf://owner/name"),
        ("hf://ann/colors@", "write hf://owner/name"),
        ("hf://ann/--x", "hf://ann/--x: "),
        ("ftp://ann/colors", "unknown scheme 'ftp'; there are .*hf://"),
    ],
)
def test_what_is_not_there_is_one_line(server, capsys, address, line):
    server.commit("ann/colors", {})
    server.commit("ann/text", {"README.md": b""})
    with pytest.raises(UserError, match=line):
        load(address)
    assert cli.run(lambda: load(address) and 0, "") == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("content", [pickle.dumps(print), b"", b"\x10" + 7 * b"\0" + b'{"x":'])
def test_a_hostile_file_is_refused_by_its_address(server, content):
    server.commit("ann/colors", {"model.safetensors": content})
    with pytest.raises(UserError, match=r"^hf://ann/colors: not a checkpoint, or a broken one"):
        load(ADDRESS)
    with pytest.raises(UserError, match="not a checkpoint, or a broken one"):
        Colorizer.from_pretrained("ann/colors")


def test_a_hostile_configuration_is_not_read(server, ckpt):
    push(ckpt())
    server.commit("ann/colors", {"config.json": b'{"net": 7, "codec": ['})
    assert torch.equal(predict(Colorizer.from_pretrained("ann/colors")), predict(load(ckpt())))


def test_without_a_network_the_copy_of_the_cache_is_taken(server, ckpt, monkeypatch):
    commit = push(ckpt()).rpartition("/")[2]
    expected = predict(load(ADDRESS))
    server.asked.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert torch.equal(predict(load(ADDRESS)), expected)
    assert torch.equal(predict(load(f"{ADDRESS}@{commit}")), expected)
    with pytest.raises(
        UserError, match=r"^hf://ann/other: the hub cannot be reached, and there is no copy in its cache"
    ):
        load("hf://ann/other")
    assert not server.asked


def test_a_hub_that_does_not_answer_is_no_network(server, ckpt, monkeypatch, caplog):
    push(ckpt())
    expected = predict(load(ADDRESS))
    caplog.clear()
    gone = "http://127.0.0.1:9"
    monkeypatch.setattr(constants, "ENDPOINT", gone)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{gone}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    )
    assert torch.equal(predict(load(ADDRESS)), expected)
    with pytest.raises(UserError, match="the hub cannot be reached"):
        load("hf://ann/other")
    assert not caplog.records  # no line for each attempt
    with pytest.raises(UserError, match=r"^hf://ann/colors: "):
        push(ckpt())


def test_a_push_without_the_right_token_is_one_line(server, ckpt):
    with pytest.raises(UserError, match=r"^hf://ann/colors: .*401") as error:
        load(ckpt()).push_to_hub("ann/colors", token="hf_wrong")
    assert "\n" not in str(error.value)


def test_a_model_of_parts_has_nothing_to_say(server):
    model = Colorizer(UNet(channels=2, width=4, size=32), Regress(), 32)
    with pytest.raises(UserError, match="knows no experiment"):
        model.push_to_hub("ann/colors", token=TOKEN)


def test_a_folder_is_saved_and_read_back(ckpt, tmp_path):
    model = load(ckpt())
    model.save_pretrained(tmp_path / "saved")
    assert torch.equal(predict(Colorizer.from_pretrained(tmp_path / "saved")), predict(model))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "README.md"])
def test_a_saved_model_overwrites_nothing(ckpt, tmp_path, name):
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / name).write_text("mine")
    with pytest.raises(UserError, match=f"{name}: exists already"):
        load(ckpt()).save_pretrained(folder)
    assert {file.name: file.read_text() for file in folder.iterdir()} == {name: "mine"}


def test_a_model_of_parts_leaves_a_folder_as_it_is(tmp_path):
    (tmp_path / "config.json").write_text("mine")
    with pytest.raises(UserError, match="knows no experiment"):
        Colorizer(UNet(channels=2, width=4, size=32), Regress(), 32).save_pretrained(tmp_path)
    assert (tmp_path / "config.json").read_text() == "mine"


def test_the_decoding_that_was_chosen_is_kept(tmp_path):
    content = tiny_checkpoint("bins")
    torch.save(content, tmp_path / "x.ckpt")
    model = load(tmp_path / "x.ckpt")
    model.choose_decoding("mode")
    model.save_pretrained(tmp_path / "saved")
    assert Colorizer.from_pretrained(tmp_path / "saved").codec.decoding == "mode"
    assert model.experiment["codec"] != "mode"


def test_metrics_of_a_stranger_are_numbers_or_nothing(ckpt, tmp_path):
    content = torch.load(ckpt(), weights_only=True)
    for odd, kept in (({"val/psnr": [1], "val/x": float("nan"), 7: 1.0, "y": 2}, {"y": 2.0}), ([1], {}), ("x", {})):
        torch.save({**content, "metrics": odd}, tmp_path / "x.ckpt")
        assert load(tmp_path / "x.ckpt").metrics == kept


def test_an_address_survives_being_a_path():
    assert remote.address(Path("hf://ann/colors@v1.0")) == "hf://ann/colors@v1.0"
    assert remote.address("runs/hf:/x") is None and remote.address("x.ckpt") is None


def test_the_settings_of_the_environment_are_those_of_the_hub(server, ckpt, tmp_path):
    push(ckpt())
    environment = os.environ | {"HF_ENDPOINT": constants.ENDPOINT, "HF_HOME": str(tmp_path / "home")}
    Image.new("L", (40, 30), 90).save(tmp_path / "old.png")
    command = [sys.executable, "-m", "colorgan.sample", "--device", "cpu", "--ckpt", ADDRESS]
    for more, variables in (("a", {}), ("b", {"HF_HUB_OFFLINE": "1"})):
        arguments = [*command, "--out", str(tmp_path / more), str(tmp_path / "old.png")]
        subprocess.run(arguments, env=environment | variables, check=True, capture_output=True)
    assert (tmp_path / "a/old.png").read_bytes() == (tmp_path / "b/old.png").read_bytes()
    assert list((tmp_path / "home").rglob(hub.FILE))
