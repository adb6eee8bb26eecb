"""What a run uses, by the accelerator that it asks for, on machines that this one is not."""

import pytest
import torch

from colorgan.config.schema import Trainer
from colorgan.training.hardware import resolve_hardware
from colorgan.training.strategy import NetworkDDP


@pytest.fixture
def machine(monkeypatch):
    """Makes this machine one with so many GPUs of CUDA, with MPS or not, and with capabilities of its CPU."""

    def make(gpus=0, mps=False, cpu=(), maker="Intel", bf16=True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(
            torch.cpu, "get_capabilities", lambda: {"cpu_name": f"{maker} CPU", **dict.fromkeys(cpu, True)}
        )

    return make


def test_a_run_on_the_cpu_of_a_machine_with_gpus_is_one_of_a_cpu(machine):
    machine(gpus=4)
    hardware = resolve_hardware(Trainer(accelerator="cpu", devices=2))
    assert (hardware.accelerator, hardware.processes, hardware.precision) == ("cpu", 2, "32-true")
    assert not hardware.sync_batchnorm  # torch raises: SyncBatchNorm layers only work with GPU modules


@pytest.mark.parametrize(
    ("devices", "nodes", "processes"),
    [("auto", 1, 4), (-1, 1, 4), ("-1", 2, 8), (2, 1, 2), ("3", 2, 6), ("0,2", 1, 2), ([0, 1, 3], 1, 3), (1, 1, 1)],
)
@pytest.mark.parametrize("accelerator", ["auto", "gpu", "cuda"])
def test_processes_are_counted_as_lightning_starts_them(machine, accelerator, devices, nodes, processes):
    machine(gpus=4)
    hardware = resolve_hardware(Trainer(accelerator=accelerator, devices=devices, num_nodes=nodes))
    assert (hardware.accelerator, hardware.processes) == ("cuda", processes)
    assert hardware.sync_batchnorm == (processes > 1)


@pytest.mark.parametrize(
    ("what", "accelerator", "precision"),
    [
        ({"gpus": 1}, "auto", "bf16-mixed"),
        ({"gpus": 1, "bf16": False}, "auto", "32-true"),
        ({"gpus": 1, "cpu": ["amx_bf16"]}, "cpu", "bf16-mixed"),
        ({"cpu": ["avx512_bf16"]}, "auto", "32-true"),
        ({"cpu": ["avx512_bf16"], "maker": "AMD"}, "auto", "bf16-mixed"),
        ({"cpu": ["avx512_f"], "maker": "AMD"}, "auto", "32-true"),
        ({"cpu": ["amx_bf16"]}, "auto", "bf16-mixed"),
        ({"mps": True, "cpu": ["amx_bf16"]}, "auto", "32-true"),
    ],
)
def test_bfloat16_is_chosen_where_the_accelerator_is_fast_at_it(machine, what, accelerator, precision):
    machine(**what)
    assert resolve_hardware(Trainer(accelerator=accelerator)).precision == precision


def test_a_precision_that_is_named_is_taken(machine):
    machine(gpus=1)
    assert resolve_hardware(Trainer(precision="32-true")).precision == "32-true"


def test_several_processes_wrap_each_network(machine):
    machine()
    one, two = (resolve_hardware(Trainer(accelerator="cpu", devices=devices)).strategy for devices in (1, 2))
    assert one == "auto" and isinstance(two, NetworkDDP)
