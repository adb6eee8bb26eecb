"""The exception for errors that users can fix."""


class UserError(Exception):
    """Error that the user can fix.

    Commands print its message instead of a traceback: one line that names the file or key and says what to do.
    """
