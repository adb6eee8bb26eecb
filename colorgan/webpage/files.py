"""The built page: its files, and a copy of them for any web server."""

import os
import shutil
import tempfile
from pathlib import Path

from colorgan.errors import UserError

BUILT = Path(__file__).with_name("built")


def built_page() -> Path:
    """Return the folder of the built page.

    Raises:
        UserError: it was not built, as in a fresh clone.
    """
    if not (BUILT / "index.html").exists():
        raise UserError(f"{BUILT}: the page is not built; run `make app` in the clone (it needs node and npm)")
    return BUILT


def export(page: Path, out: Path) -> None:
    """Copy a page to a new folder, which appears whole or not at all.

    Raises:
        UserError: the folder exists already.
    """
    if out.exists():
        raise UserError(f"{out}: exists already; export to another folder, or remove it")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as unfinished:
        copy = Path(shutil.copytree(page, Path(unfinished) / "page"))
        os.rename(copy, out)
