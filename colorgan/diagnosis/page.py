"""The page of `colorgan doctor` as text."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from colorgan.diagnosis.advice import Problem
from colorgan.diagnosis.machine import Machine
from colorgan.diagnosis.trial import SMALL, Outcome

WIDTH = 100  # columns
NAME = 17  # columns of a row's name
_WRAPPING = {"break_on_hyphens": False, "break_long_words": False}  # people copy commands and settings


@dataclass(frozen=True)
class Row:
    """One line of the page.

    Args:
        name: what it is about.
        text: the fact, and what it means.
        offered: whether the machine has it.
    """

    name: str
    text: str
    offered: bool = True


def machine_lines(machine: Machine, problems: Iterable[Problem]) -> list[str]:
    """Return the part of the page about the machine."""
    sections = {
        "Software": _software(machine),
        "Processor": _processor(machine),
        "Accelerators": _accelerators(machine),
        "Files and accounts": _files(machine),
    }
    wrong = {problem.about for problem in problems}
    lines = []
    for title, rows in sections.items():
        lines += [title, *(line for row in rows for line in _row_lines(row, row.name in wrong)), ""]
    return lines


def outcome_lines(outcome: Outcome, problems: Iterable[Problem]) -> list[str]:
    """Return the lines about one short training."""
    row = Row(outcome.trial.name, _describe(outcome))
    return _row_lines(row, any(problem.about == f"training on {outcome.trial.name}" for problem in problems))


def conclusion_lines(problems: Sequence[Problem], trained: bool) -> list[str]:
    """Return the end of the page: the verdict, and one item for each problem.

    Args:
        problems: of the machine and of the trainings.
        trained: whether there were trainings.
    """
    if any(problem.stops_training for problem in problems):
        verdict = "Training does not work here yet."
    else:
        verdict = "Training works here." if trained else "Nothing is known that would prevent training here."
    if not problems:
        return [f"{verdict} All is well."]
    lines = [f"{verdict} What is not as it should be, and what to do:"]
    for problem in problems:
        lines += textwrap.wrap(
            f"{problem.about}: {problem.text}", WIDTH, initial_indent="  !  ", subsequent_indent="     ", **_WRAPPING
        )
    return lines


def _row_lines(row: Row, wrong: bool) -> list[str]:
    mark = "!" if wrong else "ok" if row.offered else "-"
    start = f"  {mark:<4}{row.name:<{NAME}}"
    return textwrap.wrap(row.text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start), **_WRAPPING)


def _software(machine: Machine) -> list[Row]:
    build = f"built for {machine.build}" if machine.build else "built for the CPU alone"
    torch = f"{machine.torch}, {build}" if machine.torch else f"cannot be used: {machine.error}"
    return [
        Row("Python", f"{machine.python} on {machine.system}"),
        Row("PyTorch", torch),
        Row("Lightning", machine.packages.get("pytorch-lightning", "not installed")),
    ]


def _processor(machine: Machine) -> list[Row]:
    quota = f", {machine.core_quota:g} of them at a time" if machine.core_quota else ""
    rows = [
        Row("CPU", f"{machine.cpu}; {machine.usable_cores} of {machine.cores} cores usable{quota}"),
        Row("load", f"{machine.load:.1f} processes want a core"),
        Row("memory", f"{_size(machine.memory)}, of which {_size(machine.memory_free)} are free"),
    ]
    return rows if machine.error else [*rows, Row("instructions", ", ".join(machine.instructions))]


def _accelerators(machine: Machine) -> list[Row]:
    if machine.error:
        return [Row("GPU", "unknown without PyTorch", offered=False)]
    rows = [
        Row(f"cuda:{i}", f"{gpu.name}, {_size(gpu.memory)}, of which {_size(gpu.memory_free)} are free")
        for i, gpu in enumerate(machine.gpus)
    ]
    if machine.mps:
        rows.append(Row("mps", "the GPU of this Mac"))
    if not rows:
        rows.append(Row("GPU", "none, so that training runs on the CPU", offered=False))
    tf32 = any(gpu.tf32 for gpu in machine.gpus)
    nccl = f"{machine.nccl or 'none'}, for several NVIDIA GPUs"
    bfloat16 = "used on" if machine.fast_bfloat16 else "not used by itself; trainer.precision=bf16-mixed tries it on"
    place = {"cuda": "these GPUs", "mps": "this GPU"}.get(machine.accelerator, "this CPU")
    return [
        *rows,
        Row("NCCL", nccl, offered=machine.nccl is not None and len(machine.gpus) > 0),
        Row("TF32", "used, for fast float32" if tf32 else "none; newer NVIDIA GPUs have it", offered=tf32),
        Row("bfloat16", f"{bfloat16} {place}", offered=machine.fast_bfloat16),
        Row(
            "auto means",
            f"trainer.accelerator={machine.accelerator} trainer.devices={machine.processes} "
            f"trainer.precision={machine.precision}",
        ),
    ]


def _files(machine: Machine) -> list[Row]:
    shared = machine.shared_memory_free
    rows = [
        Row("disk", f"{_size(machine.disk_free)} free in {machine.run_folder}/, where runs go"),
        Row("temporary files", f"{_size(machine.temporary_free)} free, for checkpoints while they are written"),
        Row("shared memory", "none" if shared is None else f"{_size(shared)} free in /dev/shm, for data workers"),
        Row("open files", f"{machine.open_files:,} at a time"),
        Row("weights", _describe_weights(machine)),
    ]
    if machine.error:
        return rows
    wandb = "logged in: runs are live" if machine.wandb_login else "not logged in: runs are logged on this machine only"
    mode = f" (WANDB_MODE={machine.wandb_mode})" if machine.wandb_mode else ""
    return [*rows, Row("W&B", wandb + mode, machine.wandb_login)]


def _describe_weights(machine: Machine) -> str:
    here = ["the released generator"] * machine.released + [name for name, found in machine.weights.items() if found]
    missing = [name for name, found in machine.weights.items() if not found]
    text = f"here: {', '.join(here) or 'none'}"
    return f"{text}; downloaded when needed: {', '.join(missing)}" if missing else text


def _describe(outcome: Outcome) -> str:
    if outcome.error:
        return f"failed: {outcome.error}"
    pictures = "small pictures" if set(SMALL) <= set(outcome.trial.overrides) else "pictures"
    speed = f"{outcome.pictures_per_second:,.{0 if outcome.pictures_per_second >= 10 else 1}f} {pictures}/s"
    if outcome.epochs < 2:
        return f"{speed}, loss {outcome.first_loss:.3f} in the only epoch"
    loss = f"loss {outcome.first_loss:.3f} to {outcome.last_loss:.3f} in {outcome.epochs} epochs"
    return f"{speed}, {loss}{', all processes agree' if outcome.equal_ranks else ''}"


def _size(size: int) -> str:
    """Return a number of bytes as GB, or below 1 GB as MB."""
    if size < 1e9:
        return f"{size / 1e6:.0f} MB"
    return f"{size / 1e9:.{0 if size >= 10e9 else 1}f} GB"
