"""The advice of the doctor for invented machines and trainings."""

from dataclasses import MISSING, fields, replace

import pytest

from colorgan.diagnosis.advice import find_problems
from colorgan.diagnosis.machine import Machine
from colorgan.diagnosis.trial import Outcome
from tests.diagnosed import ALONE, CLUSTER, GOOD, GPU, LAPTOP, TOGETHER


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
