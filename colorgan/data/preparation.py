"""Folders of photographs made into a training set, in two passes that can be interrupted at any time.

The first pass decodes each photograph once, in parallel; a journal in the hidden work folder gets a line for each, and
the resized pictures wait beside it. The second pass, in one process, finds near-duplicates, splits, writes the plan,
moves the pictures into place, and last turns the plan into the manifest.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock, Timeout

from colorgan.atomic import write_atomically
from colorgan.data.duplicates import find_duplicates
from colorgan.data.examination import GOOD, UNREADABLE, Record, Settings, Task, digest, examine, stamp
from colorgan.data.folder import class_from_path, find_images
from colorgan.data.parallel import run_parallel
from colorgan.errors import UserError

FORMAT = 1  # of the files in the target folder
DUPLICATE = "near-duplicate"
JOURNAL, PLAN, MANIFEST = "journal.jsonl", "plan.jsonl", "manifest.jsonl"
_SPLITS = ("train", "val")
Watch = Callable[[Iterable[Record], int], Iterable[Record]]
Line = dict[str, str | int]


def prepare(sources: list[Path], target: Path, settings: Settings, jobs: int, watch: Watch) -> list[Line]:
    """Make a training set of the photographs below `sources`, or go on with it.

    What `target` holds already is kept: a larger near-duplicate that is added later does not replace it. A photograph
    is read again if its file has changed, if it was unreadable, or if its picture is missing from `target`.

    Args:
        sources: folders of photographs; they are only read.
        target: folder of the training set; a new or empty one, or that of an earlier call with the same settings.
        settings: how photographs are chosen and written.
        jobs: number of processes that decode.
        watch: is passed the records of the first pass as they come, and their number; yields them again.

    Returns:
        The lines of the manifest.

    Raises:
        UserError: a folder does not fit, another process works on `target`, or a file cannot be written.
    """
    sources = [source.resolve() for source in sources]
    target = target.resolve()
    _check_folders(sources, target)
    named = _name_sources(sources, target, settings)
    found = {f"{name}/{file}": source / file for name, source in named.items() for file in find_images(source)}
    work = target / ".prepare"
    (work / "pictures").mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(work / "lock", timeout=0):
            _write_json(target / "prepare.json", _describe(named, settings))
            return _prepare(found, named, target, settings, jobs, watch)
    except Timeout:
        raise UserError(f"{target}: another process is preparing this folder") from None


def _prepare(
    found: dict[str, Path], named: dict[str, Path], target: Path, settings: Settings, jobs: int, watch: Watch
) -> list[Line]:
    work = target / ".prepare"
    known = set(Record.__dataclass_fields__)
    lines = [line for line in _read_lines(work / JOURNAL) if {"picture", "stamp", "verdict"} <= line.keys() <= known]
    records = {line["picture"]: Record(**line) for line in lines}
    earlier = _read_lines(work / PLAN if (work / PLAN).exists() else target / MANIFEST)
    previous = {line["picture"]: line["kept"] for line in earlier if "kept" in line}
    due = [picture for picture, path in found.items() if _is_due(records.get(picture), path)]
    while True:
        tasks = [Task(picture, found[picture], _waiting(work, picture)) for picture in due]
        _examine(tasks, records, work / JOURNAL, settings, jobs, watch)
        lines = _arrange(list(records.values()), previous, named, settings.val_share)
        missing = [line["picture"] for line in lines if "kept" in line and not _is_there(line, target)]
        for picture in missing:
            if picture not in found:  # neither the picture nor the photograph exists any more
                del records[picture]
        if not missing:
            break
        due = [picture for picture in missing if picture in found]
    kept = {line["picture"]: line["kept"] for line in lines if "kept" in line}
    for picture, place in previous.items():  # before the plan, which knows nothing of them
        if kept.get(picture) != place:
            (target / place).unlink(missing_ok=True)
    _write_lines(work / PLAN, lines)
    _move(kept, target)
    _write_lines(work / JOURNAL, [asdict(record) for _, record in sorted(records.items())])
    shutil.rmtree(work / "pictures")
    os.replace(work / PLAN, target / MANIFEST)
    return lines


def _examine(
    tasks: list[Task], records: dict[str, Record], journal: Path, settings: Settings, jobs: int, watch: Watch
) -> None:
    """Add the records of photographs to `records`, and each to the journal as soon as it is known."""
    with open(journal, "a", encoding="utf-8") as file:
        file.write("\n")  # ends a line that was torn when an earlier run was killed
        for record in watch(run_parallel(examine, tasks, settings, jobs), len(tasks)):
            file.write(json.dumps(asdict(record)) + "\n")
            file.flush()
            records[record.picture] = record


def _move(kept: dict[str, str], target: Path) -> None:
    """Move the pictures that wait to their places."""
    for split in _SPLITS:
        (target / split).mkdir(exist_ok=True)
    for picture, place in kept.items():
        waiting = _waiting(target / ".prepare", picture)
        if waiting.exists():
            (target / place).parent.mkdir(exist_ok=True)
            if not (target / place).resolve().is_relative_to(target):
                raise UserError(f"{target / place}: leads out of {target}; remove the link")
            os.replace(waiting, target / place)


def _arrange(records: list[Record], previous: dict[str, str], named: dict[str, Path], val_share: float) -> list[Line]:
    """Decide which good photographs to keep, and where; return the lines of the manifest, sorted.

    Args:
        records: of all photographs.
        previous: the place of each picture that is kept already.
        named: the source folders by name.
        val_share: share of the pictures to validate on.
    """
    good = [record for record in records if record.verdict == GOOD]
    good.sort(key=lambda r: (r.picture not in previous, -r.width * r.height, r.picture))
    originals = find_duplicates(record.fingerprint for record in good)
    originals = {record.picture: good[i].picture for record, i in zip(good, originals, strict=True) if i is not None}
    kept = [record.picture for record in good if record.picture not in originals]
    places = _place([picture for picture in kept if picture not in previous], previous, named, val_share)
    places = {picture: previous.get(picture) or places[picture] for picture in kept}
    lines = []
    for record in sorted(records, key=lambda record: record.picture):
        line: Line = {"picture": record.picture}
        if record.width:
            line |= {"width": record.width, "height": record.height}
        if record.picture in places:
            line["kept"] = places[record.picture]
        elif record.picture in originals:
            line |= {"left_out": DUPLICATE, "of": originals[record.picture]}
        else:
            line["left_out"] = record.verdict
        if record.verdict == UNREADABLE:
            line["why"] = record.why
        if record.has_more:
            line["further_pages"] = True
        lines.append(line)
    return lines


def _place(new: list[str], previous: dict[str, str], named: dict[str, Path], val_share: float) -> dict[str, str]:
    """Return the path in the target folder for each new picture.

    Of a source that contains train/ and val/, these are the splits, as for `ImageFolder`. Other pictures are split by
    the hash of their key alone, except that neither split is left empty while there are two pictures.
    """
    splits, drawn = {}, []
    for picture in new:
        name, _, file = picture.partition("/")
        first = class_from_path(file)
        if first in _SPLITS and all((named[name] / split).is_dir() for split in _SPLITS):
            splits[picture] = first
        else:
            drawn.append(picture)
            splits[picture] = "val" if int(digest(picture), 16) / 2**64 < val_share else "train"
    drawn.sort(key=digest)
    taken = {place.partition("/")[0] for place in previous.values()} | set(splits.values())
    if drawn and len(new) + len(previous) > 1:
        if "val" not in taken:
            splits[drawn[0]] = "val"
        if "train" not in taken:
            splits[drawn[-1]] = "train"
    places = {}
    for picture, split in splits.items():
        name, _, file = picture.partition("/")
        inner = file.removeprefix(f"{split}/") if picture not in drawn else file
        places[picture] = f"{split}/{class_from_path(inner) or named[name].name}/{_file_name(picture)}"
    return places


def _file_name(picture: str) -> str:
    """Return a file name that every file system takes, and that no other picture has."""
    stem = re.sub(r"[^\w.-]+", "_", Path(picture).stem).strip("._-")[:40]
    return f"{stem}-{digest(picture)}.jpg"


def _check_folders(sources: list[Path], target: Path) -> None:
    for source in sources:
        if not source.is_dir():
            raise UserError(f"{source}: no such folder")
        if source == target or source in target.parents:
            raise UserError(f"{target}: lies in {source}, which is never changed; choose a folder outside")
        if target in source.parents:
            raise UserError(f"{source}: lies in {target}, where the training set goes; choose another folder for it")
        if sources.count(source) > 1:
            raise UserError(f"{source}: given twice")
    if target.exists() and not target.is_dir():
        raise UserError(f"{target}: not a folder")


def _name_sources(sources: list[Path], target: Path, settings: Settings) -> dict[str, Path]:
    """Return the source folders by the names that begin their pictures' keys.

    Raises:
        UserError: `target` holds something else than a training set from these folders, with these settings.
    """
    file, named = target / "prepare.json", {}
    if file.exists():
        try:
            described = json.loads(file.read_text(encoding="utf-8"))
            named = {name: Path(path) for name, path in described["sources"].items()}
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise UserError(f"{file}: broken; choose another folder for the training set") from error
        for key, value in (_describe(named, settings)).items():
            if described.get(key) != value:
                raise UserError(
                    f"{target}: was prepared with {key} {described.get(key)}, not {value}; choose a new folder"
                )
        if absent := [str(path) for path in named.values() if path not in sources]:
            raise UserError(f"{target}: was prepared from {', '.join(absent)} too; name all of its sources")
    elif target.exists() and any(entry.name != ".prepare" for entry in target.iterdir()):
        raise UserError(f"{target}: holds other files; choose a new or empty folder")
    for source in sources:
        if source not in named.values():
            name, n = source.name, 1
            while name in named:
                n += 1
                name = f"{source.name}-{n}"
            named[name] = source
    return named


def _describe(named: dict[str, Path], settings: Settings) -> dict:
    sources = {name: str(path) for name, path in named.items()}
    return {"format": FORMAT, **asdict(settings), "sources": sources}


def _is_due(record: Record | None, path: Path) -> bool:
    return record is None or record.verdict == UNREADABLE or record.stamp != stamp(path)


def _waiting(work: Path, picture: str) -> Path:
    """Return where a picture waits between the passes."""
    return work / "pictures" / f"{digest(picture)}.jpg"


def _is_there(line: Line, target: Path) -> bool:
    return (target / line["kept"]).exists() or _waiting(target / ".prepare", line["picture"]).exists()


def _read_lines(path: Path) -> Iterator[Line]:
    """Yield the objects of a file with one JSON object a line; what is torn, or not of `prepare`, is left out."""
    if not path.exists():
        return
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                content = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(content, dict) and isinstance(content.get("picture"), str) and _lies_inside(content):
                yield content


def _lies_inside(line: Line) -> bool:
    """Whether a line keeps its picture where `prepare` puts pictures: a line from elsewhere may name any file."""
    parts = str(line.get("kept", "train/a/b")).split("/")
    return len(parts) == 3 and parts[0] in _SPLITS and ".." not in parts


def _write_lines(path: Path, lines: Iterable[Line]) -> None:
    write_atomically(path, "".join(json.dumps(line) + "\n" for line in lines))


def _write_json(path: Path, value: dict) -> None:
    write_atomically(path, json.dumps(value, indent=1) + "\n")
