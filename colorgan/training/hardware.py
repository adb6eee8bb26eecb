"""Which hardware a run uses: every question about it is answered from the accelerator that the run really has."""

from dataclasses import dataclass

import torch
from omegaconf import DictConfig
from pytorch_lightning.strategies import Strategy

from colorgan.training.strategy import NetworkDDP


@dataclass(frozen=True)
class Hardware:
    """The hardware of a run.

    Args:
        accelerator: "cuda", "mps", "cpu", or another that Lightning knows.
        processes: number of processes over all nodes, one for each device.
        precision: of Lightning's Trainer.
    """

    accelerator: str
    processes: int
    precision: str

    @property
    def sync_batchnorm(self) -> bool:
        """Whether batch statistics are shared between processes, which torch can do on CUDA alone."""
        return self.accelerator == "cuda" and self.processes > 1

    @property
    def strategy(self) -> str | Strategy:
        """Lightning's strategy for `trainer.strategy=auto`."""
        return "auto" if self.processes == 1 else NetworkDDP()


def resolve_hardware(settings: DictConfig) -> Hardware:
    """Return what the `trainer` settings of an experiment mean on this machine.

    `trainer.precision=auto` is bf16-mixed where the accelerator computes fast in bfloat16, else 32-true.
    """
    accelerator = settings.accelerator
    if accelerator in ("auto", "gpu"):
        accelerator = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    precision = settings.precision
    if precision == "auto":
        precision = "bf16-mixed" if is_fast_in_bfloat16(accelerator) else "32-true"
    return Hardware(accelerator, settings.num_nodes * _count_devices(settings.devices, accelerator), precision)


def is_fast_in_bfloat16(accelerator: str) -> bool:
    """Return whether bfloat16 autocast is known to be faster than float32 on this machine's "cuda" or "cpu"."""
    if accelerator == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if accelerator != "cpu":
        return False
    cpu = torch.cpu.get_capabilities()
    # AVX512_BF16 alone is no sign: a step takes half the time on AMD EPYC, and no less on another maker's CPU.
    return bool(cpu.get("amx_bf16") or (cpu.get("avx512_bf16") and cpu.get("cpu_name", "").startswith("AMD")))


def _count_devices(devices: int | str | list[int], accelerator: str) -> int:
    """Count the devices of one node, given as Lightning takes them: a number, "auto", -1, or a list of indices."""
    if devices in ("auto", -1, "-1"):
        return torch.cuda.device_count() if accelerator == "cuda" else 1
    return int(devices) if str(devices).isdigit() else len(str(devices).split(","))
