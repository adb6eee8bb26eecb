"""Which photograph becomes which file: `colorgan.sample` decides it before it colors anything."""

import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from colorgan.imaging import images


class Job(NamedTuple):
    """One file to write."""

    source: Path
    target: Path
    sample: int  # which of several answers for this photograph; 0 is the first


@dataclass
class Plan:
    """What is to be done."""

    jobs: list[Job] = field(default_factory=list)
    skipped: int = 0  # outputs that are there already
    refused: list[str] = field(default_factory=list)  # a line for each input that cannot be done
    notes: list[str] = field(default_factory=list)  # a line for each surprise


def make_plan(inputs: list[Path], out: Path, suffix: str | None, overwrite: bool, samples: int) -> Plan:
    """Decides which file becomes which, below `out`; of several samples the first becomes NAME-1.

    A file goes by its name, a folder's files by their paths in it. Of two inputs with one output the second becomes
    NAME-2, so that both are kept; an output that is itself an input (through links, too) is refused.
    """
    plan, found = Plan(), []
    for given in inputs:
        if not given.is_dir():
            found.append((given, Path(given.name)))
            continue
        files = _photographs(given, out, plan.refused)
        found += [(file, file.relative_to(given)) for file in files]
        if not files:
            plan.refused.append(f"{given}: no photographs in this folder ({' '.join(images.SUFFIXES)})")
        if out.is_dir() and given.resolve() in out.resolve().parents:
            plan.notes.append(f"{out}: left out of {given}, because it is where the outputs go")
    sources = {_identity(source) for source, _ in found}
    owners: dict[str, Path] = {}
    for sample, (source, relative) in itertools.product(range(samples), found):
        wanted = out / relative.with_suffix(suffix or images.suffix(source))
        if samples > 1:
            wanted = wanted.with_stem(f"{wanted.stem}-{sample + 1}")
        target = _claim(wanted, source, owners)
        if target is None:
            continue
        if target != wanted:
            plan.notes.append(f"{source}: goes to {target}, because {wanted.name} is another input's")
        if not target.exists() or (overwrite and _identity(target) not in sources):
            plan.jobs.append(Job(source, target, sample))
        elif _identity(target) in sources:
            plan.refused.append(f"{source}: not colored, for {target} is an input; choose another --out")
        else:
            plan.skipped += 1
    return plan


def _photographs(folder: Path, out: Path, refused: list[str]) -> list[Path]:
    """The photographs in a folder and below, sorted; nothing hidden, nothing in `out`, whose files are outputs."""
    found = []
    for root, folders, files in os.walk(folder, onerror=lambda e: refused.append(f"{e.filename}: {e.strerror}")):
        here = Path(root)
        folders[:] = [name for name in folders if name[0] != "." and (here / name).resolve() != out.resolve()]
        found += [here / name for name in files if name[0] != "." and Path(name).suffix.lower() in images.SUFFIXES]
    return sorted(found)


def _claim(target: Path, source: Path, owners: dict[str, Path]) -> Path | None:
    """`target`, or NAME-2, NAME-3, ... where another input has it; None where this very input has it."""
    stem = target.stem
    for n in itertools.count(2):
        # Case is ignored, because the disk may ignore it.
        owner = owners.setdefault(str(target).casefold(), source)
        if owner is source:
            return target
        if _identity(owner) == _identity(source):
            return None
        target = target.with_stem(f"{stem}-{n}")


def _identity(path: Path) -> tuple[int, int] | Path:
    """What is equal of two paths to one file, through symbolic and hard links."""
    try:
        status = path.stat()
    except OSError:  # a broken link: reading it is going to say so
        return path
    return status.st_dev, status.st_ino
