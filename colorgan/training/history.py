"""Reading and writing of metrics.csv, the history of a run: one row per epoch."""

import csv
import os
from pathlib import Path
from typing import Any


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a `metrics.csv`, oldest epoch first; an empty list if the file does not exist."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write all rows, with one column for each key that occurs in any of them.

    The file is replaced atomically: if the process is killed, either the old file or the new one is there.
    """
    columns = dict.fromkeys(key for row in rows for key in row)
    temporary = path.with_suffix(".csv.tmp")
    with temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, path)


def add_row(path: Path, row: dict[str, Any]) -> None:
    """Append the row of an epoch, and remove rows of this and later epochs, which a crashed run may have left."""
    rows = [old for old in read_rows(path) if int(old["epoch"]) < row["epoch"]]
    write_rows(path, [*rows, row])
