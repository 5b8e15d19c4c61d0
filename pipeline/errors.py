"""The one exception that stands for a user's mistake."""


class UserError(Exception):
    """A sentence for the user: it names the file, line or option and says what to do. Jobs print it and exit 1."""
