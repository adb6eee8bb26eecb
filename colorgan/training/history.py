"""Reading and writing of metrics.csv, the history of a run: one row per epoch."""

import csv
import io
from pathlib import Path
from typing import Any

from colorgan.atomic import write_atomically


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a `metrics.csv`, oldest epoch first; an empty list if the file does not exist."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write all rows, with one column for each key that occurs in any of them, in place of the old file."""
    columns = dict.fromkeys(key for row in rows for key in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue())


def add_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Append rows of epochs, and remove those of these and later epochs, which a crashed run may have left."""
    old = [row for row in read_rows(path) if int(row["epoch"]) < rows[0]["epoch"]]
    write_rows(path, [*old, *rows])
