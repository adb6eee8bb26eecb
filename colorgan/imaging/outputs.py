"""Plan of output files, made by `colorgan.sample` before it colors anything."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from colorgan.imaging import images
from colorgan.imaging.finding import find
from colorgan.imaging.formats import SUFFIXES


class Job(NamedTuple):
    """A file to write."""

    source: Path
    target: Path
    sample: int  # index among the colored versions of this photograph


@dataclass
class Plan:
    """Files to write, and what to tell the user about the others."""

    sources: list[Path] = field(default_factory=list)  # all photographs, also those that are not to be colored
    jobs: list[Job] = field(default_factory=list)
    skipped: int = 0  # number of outputs that exist already
    refused: list[str] = field(default_factory=list)  # a line for each input that cannot be colored
    notes: list[str] = field(default_factory=list)  # a line for each output that is not where it is expected


def make_plan(inputs: list[Path], out: Path, suffix: str | None, overwrite: bool, samples: int) -> Plan:
    """Plan the output file of each photograph.

    A file keeps its name, and files of a folder keep their paths within it. Where two inputs have the same output, the
    second becomes NAME-2, so that both are kept. An output that is itself an input, also through links, is refused.

    Args:
        inputs: Files and folders.
        out: Folder for the outputs.
        suffix: Suffix of all outputs, such as '.png'; None to choose it by `images.suffix`.
        overwrite: Whether to color photographs whose output exists already.
        samples: Number of colored versions of each photograph. Several are named NAME-1, NAME-2, ...

    Returns:
        The plan. Inputs that do not exist are part of it: reading them fails later.
    """
    plan, found = Plan(), []
    for given in inputs:
        if not given.is_dir():
            found.append((given, Path(given.name)))
            continue
        inside = find(given, leave_out=out)
        found += [(given / name, Path(name)) for name in sorted(inside.names, key=Path)]
        plan.refused += inside.unlisted
        plan.notes += inside.describe_others(given)
        if not inside.names and not inside.unlisted:
            plan.refused.append(f"{given}: no photographs in this folder ({' '.join(SUFFIXES)} ...)")
        if out.is_dir() and given.resolve() in out.resolve().parents:
            plan.notes.append(f"{out}: left out of {given}, because it is where the outputs go")
    plan.sources = list(dict.fromkeys(source for source, _ in found))
    sources = {_identity(source) for source in plan.sources}
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
        if not target.parent.resolve().is_relative_to(out.resolve()):
            plan.refused.append(f"{source}: not colored, for {target.parent} is a link that leads out of {out}")
        elif not target.exists() or (overwrite and _identity(target) not in sources):
            plan.jobs.append(Job(source, target, sample))
        elif _identity(target) in sources:
            plan.refused.append(f"{source}: not colored, for {target} is an input; choose another --out")
        else:
            plan.skipped += 1
    return plan


def _claim(target: Path, source: Path, owners: dict[str, Path]) -> Path | None:
    """Return `target`, or the first free NAME-2, NAME-3, ... if another input owns it; None if this input does."""
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
    """Return a key that is equal for all paths to one file, through symbolic and hard links."""
    try:
        status = path.stat()
    except OSError:  # a broken link: `images.read` raises the error
        return path
    return status.st_dev, status.st_ino
