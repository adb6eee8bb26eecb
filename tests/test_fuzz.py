"""A few of the files that `tests/fuzz.py` makes, the same ones each time."""

import mmap

import pytest

from tests import fuzz


@pytest.fixture
def faults():
    return fuzz.Faults(keep=None)


def mapped(size):
    """Memory of the system: malloc may reuse what earlier tests have freed."""
    block = mmap.mmap(-1, size)
    block.write(b"x" * size)
    return block


def test_mutated_files_cost_a_line_each(faults):
    with fuzz.saved_model() as model:
        colored = fuzz.fuzz_files(100, seed=1, faults=faults, model=model)
    assert not faults.lines
    assert 10 < colored < 60  # some are still pictures, or nothing was tried


def test_mutated_checkpoints_cost_a_line_each(faults):
    loaded = fuzz.fuzz_checkpoints(40, seed=1, faults=faults)
    assert not faults.lines
    assert 2 < loaded < 30


def test_what_the_fuzzer_takes_for_a_fault(faults, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "BYTES", 1 << 24)
    hoard = []
    faults.watch("raises", lambda: {}["x"], 5)
    faults.watch("hangs", lambda: fuzz.time.sleep(9), 0.1)
    faults.watch("takes", lambda: hoard.append(mapped(1 << 26)), 5)
    faults.watch("prints", lambda: print("Traceback (most recent call last)"), 5)
    monkeypatch.setattr(fuzz, "_DECODERS", ())
    (tmp_path / "x.png").write_bytes(fuzz.by_pil("PNG"))
    fuzz._read(tmp_path / "x.png", faults)
    assert [line.split(":")[0] for line in faults.lines] == ["raises", "hangs", "takes", "prints", "wrong"]
