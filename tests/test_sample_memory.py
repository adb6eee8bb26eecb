"""The sampler where memory runs out: in a batch, for one photograph beside others, and for one alone."""

import subprocess
import sys

import pytest
import torch
from PIL import Image

from colorgan.errors import UserError
from colorgan.imaging import images
from tests.test_sample import level, outputs, photo


def test_a_batch_that_fails_is_halved_until_it_fits(run, model, tmp_path):
    tried = []

    def predict_colors(lightness, hints=None):
        tried.append(len(lightness))
        if len(lightness) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nwith many details")
        return [None] * len(lightness)

    model.predict_colors = predict_colors
    for i in range(8):
        photo(tmp_path / f"in/{i}.png", level=i)
    assert run("--jobs", 1, "in") == 0
    assert tried == [8, 4, 2, 2, 4, 2, 2]
    assert [level(tmp_path / f"colorized/{i}.png") for i in range(8)] == list(range(8))


def test_another_failure_of_the_model_names_the_photograph(run, model, tmp_path, capsys):
    def predict_colors(lightness, hints=None):
        if lightness[0].numel() > 200:
            raise RuntimeError("shapes do not match\nwith many details")
        return [None] * len(lightness)

    model.predict_colors = predict_colors
    photo(tmp_path / "in/a.png")
    photo(tmp_path / "in/big.png", size=(40, 20))
    assert run("in") == 1
    assert outputs(tmp_path / "colorized") == ["a.png"]
    failed = "colorized/big.png: not written, the model failed: shapes do not match"
    assert capsys.readouterr().err.splitlines() == [failed]


STEPS = ["shrink", "predict_colors", "fill"]


@pytest.mark.parametrize("step", [*STEPS, "read", "write"])
def test_what_fails_beside_others_is_colored_alone_at_the_end(run, model, tmp_path, monkeypatch, step):
    owner = model if step in STEPS else images
    original, failed, threads = getattr(owner, step), [], []

    def fail_once(*args):
        if not failed:
            failed.append(step)
            if owner is images:  # which reports everything as its own error
                raise UserError("x.png: cannot be used") from MemoryError()
            raise MemoryError
        threads.append(torch.get_num_threads())
        return original(*args)

    monkeypatch.setattr(owner, step, fail_once)
    torch.set_num_threads(2)
    photo(tmp_path / "in/a.png")
    photo(tmp_path / "in/b.png", size=(30, 10))
    assert run("--batch-size", 1, "--jobs", 2, "in") == 0
    assert outputs(tmp_path / "colorized") == ["a.png", "b.png"]
    assert (threads[-1], torch.get_num_threads()) == (1, 2)


@pytest.mark.parametrize("error", [RuntimeError("out of memory\nwith details"), MemoryError()])
@pytest.mark.parametrize("step", STEPS)
def test_a_photograph_too_large_for_the_memory_costs_itself_alone(
    run, model, tmp_path, capsys, monkeypatch, error, step
):
    original = getattr(model, step)

    def fail_on_the_large(first, *args):
        if (first[0] if step == "predict_colors" else first).shape[-1] > 20:
            raise error
        return original(first, *args)

    monkeypatch.setattr(model, step, fail_on_the_large)
    photo(tmp_path / "in/a.png")
    photo(tmp_path / "in/big.png", size=(40, 20))
    assert run("in") == 1
    assert outputs(tmp_path / "colorized") == ["a.png"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("colorized/big.png: not written: not enough memory, even for it alone (")


LIMITED = """
import resource, sys, torch
from colorgan import sample
torch.set_num_threads(1)
arguments = ["--ckpt", "run/last.ckpt", "--jobs", "1", "--device", "cpu"]
sample.main([*arguments, "--out", "first", "small.png"])  # loads all that is loaded once
size = next(1024 * int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, (size + 400_000_000,) * 2)
sys.exit(sample.main([*arguments, "large.png", "small.png"]))
"""


@pytest.mark.slow
def test_a_photograph_that_really_does_not_fit(tiny_train, tmp_path):
    assert tiny_train() == 0
    photo(tmp_path / "small.png")
    Image.new("L", (12_000, 12_000)).save(tmp_path / "large.png")  # 144 MB, and 432 MB in color
    command = [sys.executable, "-c", LIMITED]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert outputs(tmp_path / "colorized") == ["small.png"]
    (line,) = done.stderr.splitlines()
    assert line.startswith("colorized/large.png: not written: not enough memory, even for it alone (")
