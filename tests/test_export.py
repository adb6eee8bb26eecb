"""The command: what a file holds, and what is refused."""

import json

import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from colorgan import __version__, config, export, load, sample
from colorgan.codecs import CODECS
from colorgan.colorizer import checkpoint
from colorgan.colorizer.checkpoint import build_colorizer
from colorgan.colorizer.colorizer import Conditions
from colorgan.exporting.graph import trace
from colorgan.exporting.onnx_file import write
from colorgan.nets import NETS

L = 100 * torch.rand(2, 1, 40, 56, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def ckpt(tmp_path):
    """Writes the checkpoint of a tiny ResUNet, which exports fastest: ckpt(codec, width) -> path."""

    def make(codec="regress", width=4):
        nodes = {"net": {"name": "resunet", "width": width, "blocks": 1}, "codec": {"name": codec}}
        colorizer = build_colorizer(config.resolve(nodes, [], {"net": NETS, "codec": CODECS}, origin="tiny"), 32)
        colorizer.net(L)  # batch statistics
        rest = {
            "paper": "Nazeri 2018",
            "run_dir": str(tmp_path),
            "data": {"name": "folder", "root": str(tmp_path), "size": 32},
        }
        state = {checkpoint.MODEL + key: value for key, value in colorizer.state_dict().items()}
        torch.save({"experiment": {**nodes, **rest}, "state_dict": state}, tmp_path / "tiny.ckpt")
        return tmp_path / "tiny.ckpt"

    return make


def expected(ckpt):
    with torch.no_grad():
        return load(ckpt).predict(Conditions(L))


def difference(ckpt, ab):
    return float((torch.as_tensor(ab) - expected(ckpt)).abs().max())


def test_onnx_says_what_it_is_and_computes_it(ckpt, tmp_path, capsys):
    ckpt, out = ckpt(), tmp_path / "model.onnx"
    assert export.main([str(ckpt), str(out), "--format", "onnx", "--license", "CC0-1.0"]) == 0
    assert "Lab units from torch" in capsys.readouterr().out
    session = onnxruntime.InferenceSession(out)
    (given,), (returned,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape) == ("L", ["batch", 1, "height", "width"])
    assert (returned.name, returned.shape) == ("ab", ["batch", 2, "ab_height", "ab_width"])
    assert difference(ckpt, session.run(None, {"L": L.numpy()})[0]) < 1e-3
    metadata = session.get_modelmeta().custom_metadata_map
    assert (metadata["colorgan"], metadata["size"], metadata["net"]) == (__version__, "32", "resunet")
    assert (metadata["license"], metadata["precision"]) == ("CC0-1.0", "float32")
    assert json.loads(metadata["codec"])["name"] == "regress" and "Nazeri" in metadata["card"]
    assert str(tmp_path) not in str(metadata)
    assert onnx.load(out).opset_import[0].version == 18
    assert not list(tmp_path.glob("unfinished*"))


def test_small_forms_are_small_and_near(ckpt, tmp_path):
    ckpt, color = ckpt(width=32), {}
    assert export.main([str(ckpt), str(tmp_path / "float16.onnx"), "--precision", "float16"]) == 0
    program, size = trace(load(ckpt)), {}
    for form in ("float32", "float16", "int8"):
        out = tmp_path / f"{form}.onnx"
        if form != "float16":
            write(program, out, {"colorgan": "0"}, form)
        onnx.checker.check_model(out, full_check=True)
        color[form] = torch.as_tensor(onnxruntime.InferenceSession(out).run(None, {"L": L.numpy()})[0])
        size[form] = out.stat().st_size
    strength = float(color["float32"].abs().max())
    off = {form: float((ab - color["float32"]).abs().max()) for form, ab in color.items()}
    assert 0 < off["float16"] < 0.005 * strength and 0 < off["int8"] < 0.1 * strength
    assert size["float16"] < 0.6 * size["float32"] and size["int8"] < 0.4 * size["float32"]


def test_a_program_of_torch_export_is_read_back(ckpt, tmp_path):
    ckpt, out = ckpt(), tmp_path / "model.pt2"
    assert export.main([str(ckpt), str(out), "--format", "torch-export"]) == 0
    files = {"colorgan.json": ""}
    program = torch.export.load(out, extra_files=files)
    assert difference(ckpt, program.module()(L).detach()) < 1e-5
    assert json.loads(files["colorgan.json"])["size"] == "32"


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_safetensors_are_a_checkpoint(ckpt, tmp_path, precision):
    ckpt, out = ckpt("bins"), tmp_path / "model.safetensors"
    assert export.main([str(ckpt), str(out), "--precision", precision, "--decode", "mode"]) == 0
    loaded, trained = load(out), load(ckpt)
    assert loaded.codec.decoding == "mode"
    loaded.choose_decoding("mean")
    trained.choose_decoding("mean")
    with torch.no_grad():
        colors = [model.predict(Conditions(L)) for model in (loaded, trained)]
    torch.testing.assert_close(*colors, atol=1e-6 if precision == "float32" else 0.2, rtol=0)
    with safe_open(out, "pt") as file:
        assert file.metadata()["colorgan"] == __version__
        assert file.get_tensor("net.head.weight").dtype == getattr(torch, precision)
    Image.new("L", (40, 30), 90).save(tmp_path / "old.png")
    assert sample.main(["--ckpt", str(out), "--out", str(tmp_path / "colored"), str(tmp_path / "old.png")]) == 0


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"not one", "not a checkpoint, or a broken one"), (b"\x02" + 7 * b"\0" + b"{}", "it holds no experiment")],
)
def test_other_files_of_safetensors_are_one_line(tmp_path, capsys, content, line):
    (tmp_path / "x.safetensors").write_bytes(content)
    assert export.main([str(tmp_path / "x.safetensors"), str(tmp_path / "x.onnx")]) == 2
    assert line in capsys.readouterr().err and not (tmp_path / "x.onnx").exists()


def test_weights_of_another_size_are_refused(ckpt, tmp_path, capsys):
    out = tmp_path / "model.safetensors"
    assert export.main([str(ckpt()), str(out)]) == 0
    with safe_open(out, "pt") as file:
        tensors, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()
    from safetensors.torch import save_file

    save_file({**tensors, "net.head.weight": torch.zeros(7)}, out, metadata)
    assert export.main([str(out), str(tmp_path / "x.onnx")]) == 2
    assert "do not fit its experiment" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["model.bin"], "name it *.onnx, *.safetensors, *.pt2"),
        (["model.bin", "--format", "onnx"], "ends in .onnx"),
        (["mine.onnx"], "exists already"),
        (["m.pt2", "--precision", "int8"], "not of --format torch-export"),
        (["m.safetensors", "--precision", "int8"], "of --format onnx alone"),
        (["m.onnx", "--hints"], "takes no hints"),
        (["m.onnx", "--decode", "mean"], "one color, not a distribution"),
        (["m.onnx", "--card", "picture"], "not a readable text"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(ckpt, tmp_path, monkeypatch, capsys, arguments, line):
    ckpt = ckpt()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.onnx").write_text("mine")
    (tmp_path / "picture").write_bytes(b"\xff\xfe\xff")
    before = set(tmp_path.iterdir())
    assert export.main([str(ckpt), *arguments]) == 2
    error = capsys.readouterr().err
    assert line in error and error.count("\n") == 1
    assert set(tmp_path.iterdir()) == before and (tmp_path / "mine.onnx").read_text() == "mine"


def test_a_missing_extra_is_named(ckpt, tmp_path, monkeypatch, capsys):
    ckpt = ckpt()
    monkeypatch.setattr(export, "find_spec", lambda name: None if name == "onnxruntime" else True)
    assert export.main([str(ckpt), str(tmp_path / "m.onnx")]) == 2
    assert "onnxruntime: pip install 'colorgan[onnx]'" in capsys.readouterr().err


def test_a_file_that_computes_something_else_is_not_left(ckpt, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("colorgan.exporting.parity.largest_difference", lambda *_: float("nan"))
    assert export.main([str(ckpt()), str(tmp_path / "m.safetensors")]) == 2
    assert "not written" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.safetensors"))
