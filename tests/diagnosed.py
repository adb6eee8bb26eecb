"""Invented machines and trainings, as the doctor finds them."""

from dataclasses import replace

from colorgan.diagnosis.machine import Gpu, Machine
from colorgan.diagnosis.trial import Outcome, Trial

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
