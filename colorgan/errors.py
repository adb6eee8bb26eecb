"""The one exception that users see as a line instead of a traceback."""


class UserError(Exception):
    """Something the user can put right: one clear line that names the file or key and the way out."""
