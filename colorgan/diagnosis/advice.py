"""What is not as it should be on a machine, and what to do about it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from colorgan.config.schema import Data
from colorgan.diagnosis.machine import Machine
from colorgan.diagnosis.trial import Outcome

GB = 1e9
MIN_DISK = 1 * GB  # a run of experiments/gan.yaml keeps 0.6 GB
GOOD_DISK = 10 * GB  # a run of the papers' sizes keeps five checkpoints of up to 1 GB, and a copy while it writes one
GOOD_TEMPORARY = 2 * GB
GOOD_MEMORY = 4 * GB
GOOD_SHARED_MEMORY = 1 * GB  # data.cache=ram keeps 20,000 photographs of 128 px in it
GOOD_OPEN_FILES = 1024
COMPROMISED = ("2.6.2", "2.6.3")  # releases of Lightning that steal credentials (Lightning #21691)
REPORT = "report it, with the file that --json writes"
LONGER = "run the doctor again with --seconds 120, while nothing else runs"
CONNECTION = (
    "each GPU works alone, so look at how they connect: NCCL_DEBUG=INFO shows more, and NCCL_P2P_DISABLE=1 helps where "
    "they cannot reach each other's memory"
)
REMEDIES = {  # text in an error -> what to do
    "out of memory": "lower data.batch_size, or free the memory of the device (nvidia-smi shows who uses it)",
    "Bus error": "enlarge /dev/shm (docker run --shm-size=8g), or set data.workers=0",
    "shared memory": "enlarge /dev/shm (docker run --shm-size=8g), or set data.workers=0",
    "No space left": "free disk space, or set TMPDIR to a folder on a larger disk",
    "no kernel image": "install a PyTorch that is built for this GPU: https://pytorch.org/get-started/locally",
    "come apart": f"run the doctor again; if the weights differ again, {REPORT}",
}


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be.

    Args:
        about: name of the row of the page that it explains.
        text: what is wrong, and what to do.
        stops_training: whether nothing can be trained before it is solved.
    """

    about: str
    text: str
    stops_training: bool = False


def find_problems(machine: Machine, outcomes: Sequence[Outcome] = ()) -> list[Problem]:
    """Return the problems of a machine and of short trainings on it, those that stop training first."""
    found = [
        *_software(machine),
        *_processor(machine),
        *_gpus(machine),
        *_files(machine),
        *_accounts(machine),
        *_trainings(machine, outcomes),
    ]
    return sorted(found, key=lambda problem: not problem.stops_training)


def _software(machine: Machine) -> Iterator[Problem]:
    if machine.error:
        remedy = "install colorgan again, in a fresh environment"
        if "CUDA" in machine.error or "did not end" in machine.error:  # as a broken driver does
            remedy = (
                "restart the machine, or update NVIDIA's driver; CUDA_VISIBLE_DEVICES=-1 trains on the CPU meanwhile"
            )
        yield Problem("PyTorch", f"cannot be used, see above: {remedy}", stops_training=True)
    for package in ("pytorch-lightning", "lightning"):
        if machine.packages.get(package) in COMPROMISED:
            text = (
                f"{package} {machine.packages[package]} is a compromised release that steals credentials: remove it "
                f"(pip uninstall {package}), install another version, and change the passwords and keys on this machine"
            )
            yield Problem("Lightning", text)


def _processor(machine: Machine) -> Iterator[Problem]:
    workers = Data().workers
    if machine.usable_cores < workers * machine.processes:
        needed = f"{workers} data workers" + (f" for each of {machine.processes} GPUs" * (machine.processes > 1))
        text = (
            f"fewer usable cores ({machine.usable_cores}) than {needed}: ask the scheduler for more (SLURM: "
            "--cpus-per-task), or lower data.workers"
        )
        yield Problem("CPU", text)
    if machine.core_quota and machine.core_quota < machine.threads:
        text = (
            f"the container may use {machine.core_quota:g} cores, but PyTorch starts {machine.threads} threads, which "
            f"wait for each other: export OMP_NUM_THREADS={max(1, int(machine.core_quota))}"
        )
        yield Problem("CPU", text)
    elif machine.threads < machine.usable_cores / 2 and machine.accelerator == "cpu" and not machine.error:
        # PyTorch uses one thread for each physical core, which may be two cores of the system.
        text = (
            f"PyTorch uses {machine.threads} of {machine.usable_cores} cores: unset OMP_NUM_THREADS, or set it to "
            f"{machine.usable_cores}"
        )
        yield Problem("CPU", text)
    if machine.load > machine.cores:
        text = (
            f"other programs keep all {machine.cores} cores busy, so the speeds on this page are too low: run the "
            "doctor again when they have ended"
        )
        yield Problem("load", text)
    if machine.memory_free < GOOD_MEMORY:
        text = "little is free: close other programs, or ask for more (SLURM: --mem; docker run --memory)"
        yield Problem("memory", text)


def _gpus(machine: Machine) -> Iterator[Problem]:
    if not machine.gpus and not machine.error:
        if text := _why_no_gpu(machine):
            yield Problem("GPU", text)
    for i, gpu in enumerate(machine.gpus):
        if gpu.memory_free < gpu.memory / 2:
            text = "other programs use more than half of its memory: nvidia-smi shows which"
            yield Problem(f"cuda:{i}", text)
    if len(machine.gpus) > 1 and machine.nccl is None:
        text = "PyTorch is built without it, so GPUs cannot train together: set trainer.devices=1"
        yield Problem("NCCL", text)


def _why_no_gpu(machine: Machine) -> str | None:
    """Return why PyTorch finds no GPU although there is one, and what to do; None if there is none."""
    if machine.driver and machine.build is None:
        return "PyTorch is built for the CPU alone: pip install --force-reinstall torch torchvision brings the other"
    if machine.driver and machine.visible_devices in ("", "-1"):
        return f"CUDA_VISIBLE_DEVICES='{machine.visible_devices}' hides the GPUs: unset it"
    if machine.driver:
        reason = machine.cuda_warning or "PyTorch finds no GPU"
        return (
            f"{reason} (driver {machine.driver}, {machine.build}): update the driver, or install a PyTorch for an "
            "older CUDA: https://pytorch.org/get-started/locally"
        )
    if machine.nvidia_cards:
        return (
            "there is an NVIDIA card, but nvidia-smi is missing or fails: install NVIDIA's driver, restart after an "
            "update of it, or in Docker start the container with --gpus all"
        )
    return None


def _files(machine: Machine) -> Iterator[Problem]:
    if machine.shared_memory_free is None and machine.system.startswith("Linux"):
        text = "there is no /dev/shm, which data workers need: mount it, or set data.workers=0"
        yield Problem("shared memory", text, stops_training=True)
    elif machine.shared_memory_free is not None and machine.shared_memory_free < GOOD_SHARED_MEMORY:
        text = (
            "little is free for data workers and data.cache=ram: docker run --shm-size=8g, or data.cache=none and "
            "data.workers=0"
        )
        yield Problem("shared memory", text)
    if not machine.run_folder_writable:
        text = f"{machine.run_folder} cannot be written to: put runs elsewhere with run_dir=FOLDER"
        yield Problem("disk", text, stops_training=True)
    if machine.disk_free < GOOD_DISK:
        text = "nearly full: free some space, lower checkpoint.keep, or put runs elsewhere with run_dir=FOLDER"
        yield Problem("disk", text, stops_training=machine.disk_free < MIN_DISK)
    if machine.temporary_free < GOOD_TEMPORARY:
        text = "little is free, and every checkpoint is written there first: set TMPDIR to a folder on a larger disk"
        yield Problem("temporary files", text)
    if machine.open_files < GOOD_OPEN_FILES:
        yield Problem("open files", "few for data workers: ulimit -n 4096, before colorgan is started")
    if not machine.released:
        yield Problem("weights", "the released generator is missing: install colorgan again, or use --ckpt")


def _accounts(machine: Machine) -> Iterator[Problem]:
    if not machine.error and not machine.wandb_login and machine.wandb_mode in (None, "online"):
        text = (
            "not logged in, so runs are logged on this machine only. To see them live, get a key at "
            "https://wandb.ai/authorize and run `wandb login`; to log nothing, set wandb.mode=disabled"
        )
        yield Problem("W&B", text)


def _trainings(machine: Machine, outcomes: Sequence[Outcome]) -> Iterator[Problem]:
    alone_works = not any(outcome.error for outcome in outcomes if outcome.trial.processes == 1)
    for outcome in outcomes:
        about = f"training on {outcome.trial.name}"
        if outcome.error:
            remedy = next((remedy for text, remedy in REMEDIES.items() if text in outcome.error), None)
            if remedy is None and outcome.trial.processes > 1 and machine.gpus and alone_works:
                remedy = CONNECTION
            yield Problem(about, f"failed, see above: {remedy or REPORT}", stops_training=True)
        elif outcome.epochs < 2:
            yield Problem(about, f"too slow for two epochs, so little is known: {LONGER}")
        elif outcome.last_loss >= outcome.first_loss:
            yield Problem(about, f"the loss did not fall: {LONGER}")
