"""What PyTorch and W&B say about this machine: `python -m colorgan.diagnosis.probe` prints it as JSON.

It runs in a process of its own, because a broken driver can crash or hang the process that asks for GPUs, and because
asking for free memory occupies a GPU.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
import wandb
from huggingface_hub.constants import HF_HUB_CACHE

from colorgan.config.schema import Trainer
from colorgan.training.hardware import is_fast_in_bfloat16, resolve_hardware

INSTRUCTIONS = {  # key of torch.cpu.get_capabilities() -> its usual name
    "avx2": "AVX2",
    "avx512_f": "AVX-512",
    "avx512_bf16": "AVX-512 bfloat16",
    "amx_bf16": "AMX",
    "neon": "NEON",
    "sve": "SVE",
}
# Networks whose published weights are downloaded on first use: bodies of the experiments by timm, which come from
# Hugging Face, and those of two metrics, which come from torch.hub. Name -> pattern of their files in the caches.
BODIES = {
    name: f"models--timm--{name}.*/snapshots/*/*.safetensors"
    for name in ("resnet18", "vgg16", "vgg19", "inception_resnet_v2")
}
METRICS = {"AlexNet of LPIPS": "alexnet-*.pth", "Inception of FID": "weights-inception-*.pth"}


def describe() -> dict[str, Any]:
    """Return fields of `colorgan.diagnosis.machine.Machine`, as JSON knows them."""
    with warnings.catch_warnings(record=True) as caught:  # why CUDA cannot be used
        warnings.simplefilter("always")
        gpus = [_describe_gpu(i) for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)]
        hardware = resolve_hardware(Trainer())
    capabilities = torch.cpu.get_capabilities()
    return {
        "torch": torch.__version__,
        "build": _build(),
        "gpus": gpus,
        "cuda_warning": str(caught[0].message).splitlines()[0] if caught and not gpus else None,
        "mps": torch.backends.mps.is_available(),
        "nccl": _nccl_version(),
        "threads": torch.get_num_threads(),
        "instructions": [name for key, name in INSTRUCTIONS.items() if capabilities.get(key)],
        "fast_bfloat16": is_fast_in_bfloat16(hardware.accelerator),
        "accelerator": hardware.accelerator,
        "processes": hardware.processes,
        "precision": hardware.precision,
        "wandb_login": wandb.login(prompt=False, verify=False),
        "weights": _find_weights(),
    }


def _build() -> str | None:
    """Return what PyTorch was built for besides the CPU, such as "CUDA 13.0"."""
    if torch.version.cuda:
        return f"CUDA {torch.version.cuda}"
    return f"ROCm {torch.version.hip}" if torch.version.hip else None


def _describe_gpu(index: int) -> dict[str, Any]:
    properties = torch.cuda.get_device_properties(index)
    try:
        free = torch.cuda.mem_get_info(index)[0]
    except RuntimeError:  # another process has the GPU for itself
        free = 0
    return {
        "name": properties.name,
        "memory": properties.total_memory,
        "memory_free": free,
        "tf32": torch.version.hip is None and properties.major >= 8,
    }


def _nccl_version() -> str | None:
    if not (torch.distributed.is_available() and torch.distributed.is_nccl_available()):
        return None
    return ".".join(map(str, torch.cuda.nccl.version()))


def _find_weights() -> dict[str, bool]:
    """Return whether the weights of each network in BODIES and METRICS were downloaded before."""
    hub = Path(torch.hub.get_dir()) / "checkpoints"
    return {
        name: any(cache.glob(pattern))
        for cache, patterns in ((Path(HF_HUB_CACHE), BODIES), (hub, METRICS))
        for name, pattern in patterns.items()
    }


if __name__ == "__main__":
    print(f"\n{json.dumps(describe())}")  # in the last line, below all that libraries print
