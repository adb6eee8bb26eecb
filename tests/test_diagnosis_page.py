"""The page of the doctor, and what is left out of it."""

import getpass
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from colorgan.diagnosis.advice import find_problems
from colorgan.diagnosis.anonymous import anonymize
from colorgan.diagnosis.page import WIDTH, conclusion_lines, machine_lines, outcome_lines
from colorgan.diagnosis.trial import Outcome
from tests.diagnosed import ALONE, CLUSTER, GOOD, LAPTOP, TOGETHER


def test_the_page_marks_what_is_wrong_and_what_is_not_there():
    small = replace(LAPTOP, shared_memory_free=64_000_000)
    lines = machine_lines(small, find_problems(small))
    assert "  !   shared memory    64 MB free in /dev/shm, for data workers" in lines
    assert "  -   GPU              none, so that training runs on the CPU" in lines
    assert "  ok  CPU              AMD EPYC 9654; 4 of 64 cores usable" in lines
    assert max(map(len, lines)) <= WIDTH


def test_the_page_shows_every_gpu():
    lines = machine_lines(CLUSTER, [])
    assert "  ok  cuda:1           NVIDIA H100, 85 GB, of which 84 GB are free" in lines
    assert any("trainer.accelerator=cuda trainer.devices=2 trainer.precision=bf16-mixed" in line for line in lines)


def test_without_pytorch_the_page_says_no_more_than_it_knows():
    broken = replace(CLUSTER, error="ImportError: libcudart.so.13", torch=None)
    text = "\n".join(machine_lines(broken, find_problems(broken)))
    assert "  !   PyTorch          cannot be used: ImportError: libcudart.so.13" in text
    assert "W&B" not in text and "NCCL" not in text and "instructions" not in text


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (GOOD, "  ok  cuda:0           900 pictures/s, loss 0.200 to 0.100 in 5 epochs"),
        (Outcome(ALONE, "ValueError: 3"), "  !   cuda:0           failed: ValueError: 3"),
    ],
)
def test_the_page_has_a_line_for_each_training(outcome, line):
    assert outcome_lines(outcome, find_problems(CLUSTER, [outcome])) == [line]


def test_the_page_says_that_processes_agree():
    (line,) = outcome_lines(replace(GOOD, trial=TOGETHER, equal_ranks=True), [])
    assert line.endswith("in 5 epochs, all processes agree")


def test_the_page_ends_with_a_verdict():
    assert conclusion_lines([], trained=True) == ["Training works here. All is well."]
    lines = conclusion_lines(find_problems(replace(CLUSTER, disk_free=0)), trained=False)
    assert lines[0].startswith("Training does not work here yet.")
    assert lines[1].startswith("  !  disk: nearly full") and max(map(len, lines)) <= WIDTH


def test_names_of_people_and_machines_are_removed(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/alice"))
    monkeypatch.setattr(getpass, "getuser", lambda: "alice")
    monkeypatch.setattr(socket, "gethostname", lambda: "node7.example.org")
    text = "node7.example.org: /home/alice/run, /scratch/alice/x, node7, malice"
    assert anonymize(text) == "HOST: ~/run, /scratch/USER/x, HOST, malice"
