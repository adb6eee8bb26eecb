"""The doctor: advice for invented machines, its page, short trainings, and what it writes."""

import getpass
import io
import json
import os
import shlex
import socket
import time
from contextlib import redirect_stdout
from dataclasses import MISSING, fields, replace
from pathlib import Path

import pytest
import torch

from colorgan import doctor
from colorgan.diagnosis import machine, trial
from colorgan.diagnosis.advice import find_problems
from colorgan.diagnosis.anonymous import anonymize
from colorgan.diagnosis.machine import Gpu, Machine
from colorgan.diagnosis.page import WIDTH, conclusion_lines, machine_lines, outcome_lines
from colorgan.diagnosis.processes import last_line, run_python
from colorgan.diagnosis.trial import Outcome, Trial, make_trials
from tests.test_readme import DOCTOR

GPU = Gpu("NVIDIA H100", memory=85_000_000_000, memory_free=84_000_000_000, tf32=True)
CLUSTER = Machine(  # as it should be
    python="3.12.1",
    system="Linux 6.1, x86_64",
    packages={"pytorch-lightning": "2.6.6"},
    cpu="AMD EPYC 9654",
    cores=64,
    usable_cores=16,
    load=1.5,
    core_quota=None,
    memory=256_000_000_000,
    memory_free=200_000_000_000,
    driver="580.65",
    nvidia_cards=2,
    visible_devices=None,
    shared_memory_free=128_000_000_000,
    run_folder="checkpoints",
    run_folder_writable=True,
    disk_free=500_000_000_000,
    temporary_free=100_000_000_000,
    open_files=65_536,
    released=True,
    wandb_mode=None,
    torch="2.15.0+cu132",
    build="CUDA 13.2",
    gpus=[GPU, GPU],
    nccl="2.30.7",
    threads=16,
    instructions=["AVX2", "AVX-512", "AMX"],
    fast_bfloat16=True,
    accelerator="cuda",
    processes=2,
    precision="bf16-mixed",
    wandb_login=True,
    weights={"resnet18": True, "LPIPS": False},
)
LAPTOP = replace(  # without a GPU, and as it should be
    CLUSTER, driver=None, nvidia_cards=0, gpus=[], usable_cores=4, threads=2, accelerator="cpu", processes=1
)
ALONE = Trial("cuda:0", 1, 60, ())
TOGETHER = Trial("2 GPUs", 2, 60, ())
GOOD = Outcome(ALONE, None, 5, 900.0, 0.2, 0.1)
TINY = ("trainer.accelerator=cpu", "net.width=4", "discriminator.width=4", "data.size=32", "data.workers=0")
TWO_EPOCHS = ("trainer.max_epochs=2", "trainer.max_time=null")  # on a machine that is however busy


@pytest.mark.parametrize("healthy", [CLUSTER, LAPTOP], ids=["cluster", "laptop"])
def test_a_machine_as_it_should_be_has_no_problems(healthy):
    assert find_problems(healthy, [GOOD]) == []


@pytest.mark.parametrize(
    ("healthy", "changes", "about", "advice"),
    [
        (CLUSTER, {"packages": {"pytorch-lightning": "2.6.2"}}, "Lightning", "pip uninstall pytorch-lightning"),
        (LAPTOP, {"packages": {"lightning": "2.6.3"}}, "Lightning", "pip uninstall lightning"),
        (CLUSTER, {"usable_cores": 3}, "CPU", "(3) than 2 data workers for each of 2 GPUs"),
        (LAPTOP, {"usable_cores": 1, "threads": 1}, "CPU", "--cpus-per-task"),
        (CLUSTER, {"core_quota": 4.0}, "CPU", "export OMP_NUM_THREADS=4"),
        (LAPTOP, {"threads": 1}, "CPU", "1 of 4 cores: unset OMP_NUM_THREADS"),
        (CLUSTER, {"load": 70.0}, "load", "all 64 cores busy"),
        (LAPTOP, {"memory_free": 3_000_000_000}, "memory", "--mem"),
        (CLUSTER, {"gpus": [GPU, replace(GPU, memory_free=9_000_000_000)]}, "cuda:1", "nvidia-smi"),
        (CLUSTER, {"nccl": None}, "NCCL", "trainer.devices=1"),
        (LAPTOP, {"driver": "580.65", "build": None}, "GPU", "--force-reinstall torch"),
        (LAPTOP, {"driver": "580.65", "visible_devices": ""}, "GPU", "unset"),
        (LAPTOP, {"driver": "450.1", "cuda_warning": "driver too old"}, "GPU", "driver too old (driver 450.1, CUDA"),
        (LAPTOP, {"nvidia_cards": 1}, "GPU", "--gpus all"),
        (CLUSTER, {"shared_memory_free": 64_000_000}, "shared memory", "docker run --shm-size"),
        (CLUSTER, {"disk_free": 5_000_000_000}, "disk", "checkpoint.keep"),
        (CLUSTER, {"temporary_free": 500_000_000}, "temporary files", "TMPDIR"),
        (CLUSTER, {"open_files": 256}, "open files", "ulimit -n 4096"),
        (CLUSTER, {"released": False}, "weights", "--ckpt"),
        (CLUSTER, {"wandb_login": False}, "W&B", "`wandb login`"),
    ],
    ids=lambda value: None if isinstance(value, Machine) else str(value),
)
def test_each_thing_that_is_wrong_is_one_problem_and_does_not_stop_training(healthy, changes, about, advice):
    (problem,) = find_problems(replace(healthy, **changes))
    assert (problem.about, problem.stops_training) == (about, False)
    assert advice in problem.text


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"error": "ImportError: libcudart.so.13"}, "PyTorch"),
        ({"shared_memory_free": None}, "shared memory"),
        ({"run_folder_writable": False}, "disk"),
        ({"disk_free": 500_000_000}, "disk"),
    ],
    ids=str,
)
def test_what_stops_training_comes_first(changes, about):
    first, second = find_problems(replace(CLUSTER, packages={"lightning": "2.6.3"}, **changes))
    assert (first.about, first.stops_training) == (about, True)
    assert (second.about, second.stops_training) == ("Lightning", False)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("OSError: libcudart.so.13: cannot open shared object file", "fresh environment"),
        ("RuntimeError: CUDA error: unknown error", "driver"),
        ("did not end within 120 s; its last line: (nothing)", "driver"),
    ],
)
def test_pytorch_that_cannot_be_used_is_repaired_by_its_error(error, advice):
    (problem,) = find_problems(replace(CLUSTER, error=error))
    assert advice in problem.text


def test_nothing_is_said_about_facts_that_only_pytorch_knows():
    known = {field.name: getattr(CLUSTER, field.name) for field in fields(Machine) if field.default is MISSING}
    known = {name: value for name, value in known.items() if name not in ("gpus", "instructions", "weights")}
    unknown = Machine(**known, error="ImportError: libcudart.so.13")
    assert [problem.about for problem in find_problems(unknown)] == ["PyTorch"]


def test_other_systems_need_no_shared_memory():
    assert find_problems(replace(LAPTOP, system="Darwin 24.1, arm64", shared_memory_free=None)) == []


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_who_chose_to_be_offline_is_not_asked_to_log_in(mode):
    assert find_problems(replace(CLUSTER, wandb_login=False, wandb_mode=mode)) == []


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "data.batch_size"),
        ("RuntimeError: DataLoader worker (pid 7) is killed by signal: Bus error.", "--shm-size"),
        ("OSError: [Errno 28] No space left on device", "TMPDIR"),
        ("epoch 0, batch 9: the processes have come apart, first in model.net.head.bias.", "run the doctor again"),
        ("ValueError: 3", "--json"),
    ],
)
def test_a_training_that_failed_stops_training_and_says_what_to_do(error, advice):
    (problem,) = find_problems(CLUSTER, [Outcome(ALONE, error)])
    assert (problem.about, problem.stops_training) == ("training on cuda:0", True)
    assert advice in problem.text


def test_gpus_that_only_work_alone_have_a_problem_of_their_connection():
    hang = Outcome(TOGETHER, "did not end within 210 s; its last line: MEMBER: 1/2")
    (problem,) = find_problems(CLUSTER, [GOOD, hang])
    assert "NCCL_P2P_DISABLE" in problem.text
    assert not any("NCCL" in problem.text for problem in find_problems(CLUSTER, [Outcome(ALONE, "crash"), hang]))


@pytest.mark.parametrize(
    ("changes", "text"), [({"last_loss": 0.2}, "did not fall"), ({"epochs": 1, "last_loss": 0.2}, "too slow")], ids=str
)
def test_a_loss_that_does_not_fall_is_a_problem(changes, text):
    (problem,) = find_problems(CLUSTER, [replace(GOOD, **changes)])
    assert text in problem.text and not problem.stops_training


def test_each_device_is_tried_alone_and_then_all_together():
    overrides = {trial.name: trial.overrides for trial in make_trials(CLUSTER)}
    assert list(overrides) == ["cuda:0", "cuda:1", "2 GPUs"]
    assert overrides["cuda:1"] == ("trainer.accelerator=cuda", "trainer.devices=[1]")
    assert overrides["2 GPUs"] == ("trainer.accelerator=cuda", "trainer.devices=2")


@pytest.mark.parametrize(
    ("tried", "names"),
    [
        (replace(CLUSTER, gpus=[GPU]), ["cuda:0", "2 CPU processes"]),
        (replace(LAPTOP, mps=True), ["mps", "2 CPU processes"]),
        (LAPTOP, ["cpu", "2 CPU processes"]),
    ],
)
def test_a_machine_with_one_device_trains_in_two_processes_of_its_cpu(tried, names):
    assert [trial.name for trial in make_trials(tried)] == names


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


def test_a_process_that_crashes_is_one_line():
    result = run_python(["-c", "print(3); raise ValueError('five')"], timeout=60)
    assert (result.output, result.error) == ("3\n", "ValueError: five")


def test_a_process_that_is_killed_is_one_line():
    result = run_python(["-c", "import os; os.kill(os.getpid(), 9)"], timeout=60)
    assert result.error == "ended by SIGKILL, as when memory runs out; its last line: (nothing)"


def test_a_process_that_hangs_is_ended_with_all_that_it_started():
    sleep = "[sys.executable, '-c', 'import time; time.sleep(60)']"
    script = f"import subprocess, sys, time; print(subprocess.Popen({sleep}).pid, flush=True); time.sleep(60)"
    result = run_python(["-c", script], timeout=2)
    assert result.error.startswith("did not end within 2 s")
    child = Path(f"/proc/{result.output.strip()}/stat")
    end = time.monotonic() + 10
    while child.exists() and child.read_text().split()[2] != "Z":  # Z: ended, and not yet collected by its new parent
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_process_does_not_take_itself_for_one_of_several(monkeypatch):
    for name in ("SLURM_NTASKS", "SLURM_PROCID", "RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_PORT"):
        monkeypatch.setenv(name, "4")
    monkeypatch.setenv("COLORGAN_TEST_KEPT", "1")
    seen = run_python(["-c", "import os; print(*os.environ)"], timeout=60).output.split()
    assert "COLORGAN_TEST_KEPT" in seen
    assert not [name for name in seen if "RANK" in name or name.startswith(("SLURM", "WORLD", "MASTER"))]


def test_the_error_of_a_run_of_several_processes_is_its_cause():
    log = """Initializing distributed: GLOBAL_RANK: 0, MEMBER: 1/2
[rank1]: Traceback (most recent call last):
[rank1]:   File "train.py", line 1, in step
[rank1]: ValueError: the cause
[rank0]: RuntimeError: [pair.cc:561] Connection closed by peer [127.0.0.1]:53174.
[rank: 1] Child process with PID 3 terminated with code 1. Forcefully terminating all other processes
"""
    assert last_line(log) == "ValueError: the cause"


@pytest.fixture(scope="module")
def diagnosis(tmp_path_factory):
    """Exit code, page and facts of the command on this machine, after a training that fails and one that works."""
    trials = [
        Trial("broken", 1, 2, ("optim.lr=fast",)),
        Trial("2 CPU processes", 2, 2, (*TINY, *TWO_EPOCHS, "trainer.devices=2")),
    ]
    file = tmp_path_factory.mktemp("doctor") / "new" / "facts.json"
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as page:
        patch.setattr(trial, "make_trials", lambda found: trials)
        code = doctor.main(["--json", str(file), "--out", str(Path.home() / "runs")])
    return code, page.getvalue(), json.loads(file.read_text())


def test_a_training_that_fails_is_one_line_of_the_page(diagnosis):
    code, page, _ = diagnosis
    assert code == 1
    assert "  !   broken           failed: optim.lr=fast: " in page and "Traceback" not in page


def test_two_processes_train_and_agree(diagnosis):
    _, page, facts = diagnosis
    outcome = facts["trainings"][1]
    assert (outcome["error"], outcome["epochs"], outcome["equal_ranks"]) == (None, 2, True)
    assert outcome["pictures_per_second"] > 0 and 0 < outcome["last_loss"] < 1
    assert f"loss {outcome['first_loss']:.3f} to {outcome['last_loss']:.3f}" in page


def test_the_facts_are_those_of_this_machine(diagnosis):
    facts = diagnosis[2]["machine"]
    assert (facts["error"], facts["torch"]) == (None, torch.__version__)
    assert (facts["usable_cores"], facts["open_files"] > 0) == (len(os.sched_getaffinity(0)), True)
    assert len(facts["gpus"]) == torch.cuda.device_count()


def test_the_page_and_the_facts_name_nobody(diagnosis):
    _, page, facts = diagnosis
    for text in (page, json.dumps(facts)):
        assert str(Path.home()) not in text and socket.gethostname() not in text


@pytest.fixture
def invented(monkeypatch):
    """Makes this machine CLUSTER with changes, whose every training ends in `outcome`."""

    def make(outcome=GOOD, **changes):
        monkeypatch.setattr(machine, "inspect_machine", lambda folder: replace(CLUSTER, **changes))
        monkeypatch.setattr(trial, "run_trial", lambda tried, seconds: replace(outcome, trial=tried))

    return make


def test_a_training_that_fails_ends_with_1_after_the_others(invented, capsys):
    invented(Outcome(ALONE, "ValueError: 3"))
    assert doctor.main([]) == 1
    assert capsys.readouterr().out.count("failed: ValueError: 3") == 3


def test_without_training_the_facts_alone_decide(invented, capsys):
    invented(Outcome(ALONE, "ValueError: 3"))
    assert doctor.main(["--no-training"]) == 0
    assert "pictures/s" not in capsys.readouterr().out
    invented(disk_free=0)
    assert doctor.main(["--no-training"]) == 1


def test_all_is_well_where_it_is(invented, capsys):
    invented()
    assert doctor.main([]) == 0
    assert capsys.readouterr().out.endswith("Training works here. All is well.\n")


@pytest.mark.parametrize("command", DOCTOR)
def test_the_command_of_the_readme_works(invented, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    invented()
    assert doctor.main(shlex.split(command)[3:]) == 0


def test_a_file_is_never_overwritten(invented, tmp_path, capsys):
    invented()
    (tmp_path / "facts.json").write_text("mine")
    assert doctor.main(["--json", str(tmp_path / "facts.json")]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "facts.json").read_text() == "mine"
