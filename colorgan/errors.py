"""The exception for errors that users can fix."""


def one_line(text: str) -> str:
    """Return a text with line breaks, control characters and bytes that are no text escaped.

    Names of files are any bytes: printed as they are, they forge lines, control the terminal, or cannot be printed.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class UserError(Exception):
    """Error that the user can fix.

    Commands print its message instead of a traceback: one line that names the file or key and says what to do.

    Args:
        message: the line; what cannot be printed is escaped.
    """

    def __init__(self, message: str):
        super().__init__(one_line(str(message)))
