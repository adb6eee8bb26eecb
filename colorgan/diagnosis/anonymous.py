"""Removal of names from text that people put into bug reports."""

import getpass
import re
import socket
from contextlib import suppress
from pathlib import Path


def anonymize(text: str) -> str:
    """Replace the home folder, the user's name and the host's name in a text by `~`, `USER` and `HOST`."""
    names: dict[str, str] = {}
    with suppress(RuntimeError):  # no home folder
        names |= {str(home): "~" for home in (Path.home(), Path.home().resolve()) if home != Path("/")}
    with suppress(KeyError, OSError):  # the user of a container may have no name
        names[getpass.getuser()] = "USER"
    host = socket.gethostname()
    names |= {host: "HOST", host.partition(".")[0]: "HOST"}
    for name, replacement in names.items():
        if name not in ("", "root", "localhost"):  # "root" names nobody, and occurs in `data.root`
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", replacement, text)
    return text
