"""The folder of a study: `study.json`, `pictures/` and `answers.sqlite`."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_type_hints

from colorgan.errors import UserError
from colorgan.study.protocol import Protocol, TrialKind

REAL, RANDOM = "real", "random"  # the folders of the real pictures and of the randomly colored ones


@dataclass(frozen=True)
class Study:
    """The pictures and settings of a study; methods take a picture as an index into `pictures`.

    Args:
        root: the folder of the study.
        systems: names of the colorization systems.
        pictures: the source of each picture: its path in the folder of photographs, without the suffix.
        size: side of the square pictures in pixels.
        seed: of all random choices.
        protocol: number and timing of the trials.
    """

    root: Path
    systems: list[str]
    pictures: list[str]
    size: int
    seed: int
    protocol: Protocol

    @property
    def answers_path(self) -> Path:
        """Path of the SQLite file of answers, which `serve` writes."""
        return self.root / "answers.sqlite"

    def real_path(self, picture: int) -> Path:
        """Return the path of the real picture."""
        return self._picture_path(REAL, picture)

    def fake_path(self, picture: int, kind: TrialKind, system: str) -> Path:
        """Return the path of the recolored picture: by `system`, or with random colors in a vigilance trial."""
        return self._picture_path(RANDOM if kind == "vigilance" else system, picture)

    def _picture_path(self, folder: str, picture: int) -> Path:
        return self.root / "pictures" / folder / f"{picture:04d}.png"

    def check_pictures(self) -> None:
        """Check that all pictures exist.

        Raises:
            UserError: a picture is missing.
        """
        folders = [REAL, RANDOM, *self.systems]
        paths = [self._picture_path(folder, picture) for folder in folders for picture in range(len(self.pictures))]
        missing = [path for path in paths if not path.is_file()]
        if missing:
            others = f", and {len(missing) - 1} others" if len(missing) > 1 else ""
            raise UserError(f"{missing[0]}: missing{others}; copy the study again as a whole, or make it again")

    def save(self) -> None:
        """Write study.json."""
        fields = {name: value for name, value in asdict(self).items() if name != "root"}
        text = json.dumps(fields, indent=2, ensure_ascii=False)
        (self.root / "study.json").write_text(text + "\n", encoding="utf-8")


def load(root: Path) -> Study:
    """Load the study in a folder.

    Raises:
        UserError: study.json is missing or invalid.
    """
    file = root / "study.json"
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
        study = Study(root=root, **{**fields, "protocol": Protocol(**fields["protocol"])})
    except OSError as error:
        line = f"{file}: {error.strerror}; `python -m colorgan.turing make {root} --data DIR ...` makes a study"
        raise UserError(line) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{file}: not the file that `make` wrote; make the study again in another folder") from None
    valid = _has_valid_ints(study) and _has_valid_ints(study.protocol)
    if not (valid and _is_list_of_str(study.systems) and _is_list_of_str(study.pictures)):
        raise UserError(f"{file}: holds an invalid value; make the study again in another folder")
    if not all(re.fullmatch(r"[\w-][\w.-]*", system) for system in study.systems):  # they name folders
        raise UserError(f"{file}: a system's name leads out of the study; make the study again in another folder")
    if len(study.pictures) < study.protocol.pairs or not study.systems:
        needed = f"a session needs a system and {study.protocol.pairs} pictures"
        raise UserError(f"{file}: too few systems or pictures, as {needed}; make the study again in another folder")
    return study


def _has_valid_ints(instance: Study | Protocol) -> bool:
    """Return whether all fields annotated as int hold non-negative integers."""
    hints = get_type_hints(type(instance))
    values = [getattr(instance, name) for name, hint in hints.items() if hint is int]
    return all(type(value) is int and value >= 0 for value in values)


def _is_list_of_str(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
