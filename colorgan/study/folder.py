"""A study on disk: `study.json`, `pictures/` and the answers."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_type_hints

from colorgan.errors import UserError
from colorgan.study.protocol import Kind, Protocol

REAL, RANDOM = "real", "random"  # the folders of pictures that belong to no system


@dataclass(frozen=True)
class Study:
    """What a study shows. A picture is its place in `pictures`."""

    root: Path
    systems: list[str]
    pictures: list[str]  # where each came from: its path in the folder of photographs, without the suffix
    size: int  # px, both sides
    seed: int
    protocol: Protocol

    @property
    def answers(self) -> Path:
        """The SQLite file that `serve` writes to."""
        return self.root / "answers.sqlite"

    def real(self, picture: int) -> Path:
        """The file of the true picture."""
        return self._file(REAL, picture)

    def fake(self, picture: int, kind: Kind, system: str) -> Path:
        """The file of the recolored picture: by the system, or by chance in a vigilance pair."""
        return self._file(RANDOM if kind == "vigilance" else system, picture)

    def _file(self, folder: str, picture: int) -> Path:
        return self.root / "pictures" / folder / f"{picture:04d}.png"

    def check_pictures(self) -> None:
        """Raises UserError where a picture is missing."""
        folders = [REAL, RANDOM, *self.systems]
        files = [self._file(folder, picture) for folder in folders for picture in range(len(self.pictures))]
        missing = [file for file in files if not file.is_file()]
        if missing:
            raise UserError(f"{missing[0]}: missing, as {len(missing) - 1} others; copy or make the whole study again")

    def save(self) -> None:
        """Writes study.json."""
        held = {name: value for name, value in asdict(self).items() if name != "root"}
        text = json.dumps(held, indent=2, ensure_ascii=False)
        (self.root / "study.json").write_text(text + "\n", encoding="utf-8")


def load(root: Path) -> Study:
    """Reads the study in a folder.

    Raises:
        UserError: there is none, or its study.json is broken.
    """
    file = root / "study.json"
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        study = Study(root=root, **{**held, "protocol": Protocol(**held["protocol"])})
    except OSError as error:
        line = f"{file}: {error.strerror}; `python -m colorgan.turing make {root} --data DIR ...` makes a study"
        raise UserError(line) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{file}: not the file that `make` wrote; make the study again in another folder") from None
    if not (_whole(study) and _whole(study.protocol) and _names(study.systems) and _names(study.pictures)):
        raise UserError(f"{file}: holds a wrong value; make the study again in another folder")
    if len(study.pictures) < study.protocol.pairs or not study.systems:
        needed = f"a session needs a system and {study.protocol.pairs} pictures"
        raise UserError(f"{file}: too few of something, for {needed}; make the study again in another folder")
    return study


def _whole(held: Study | Protocol) -> bool:
    """Whether all numbers are whole and not negative."""
    hints = get_type_hints(type(held))
    values = [getattr(held, name) for name, kind in hints.items() if kind is int]
    return all(type(value) is int and value >= 0 for value in values)


def _names(held: object) -> bool:
    return isinstance(held, list) and all(isinstance(name, str) for name in held)
