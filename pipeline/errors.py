"""The exception that stands for a user's mistake, and messages of other errors that hold no patient text."""

import re
import socket
import traceback
from pathlib import Path


class UserError(Exception):
    """A sentence for the user: it names the file, line or option and says what to do. Jobs print it and exit 1."""


def without_text(error: Exception) -> str:
    """Describe an error by its class and place: the message of a library may quote a transcript.

    ``AudioError``, whose messages are this project's own, keeps its message.
    """
    from pipeline.speech.audio import AudioError

    if isinstance(error, AudioError):
        return f"AudioError: {error}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"


def reason(error: OSError) -> str:
    """Say in the system's words why a file cannot be read or written."""
    return error.strerror or type(error).__name__


def unwritten(error: OSError) -> str:
    """Say why a file cannot be written, and on which node of a cluster."""
    return f"{reason(error)} on node {socket.gethostname()}"


def load_error(died: str) -> UserError:
    """Turn the message of an actor that died into a sentence: where it could not load its model, with the cause."""
    causes = re.findall(r"^(?:\w+\.)*(\w*(?:Error|Exception)): (.*)$", died, re.MULTILINE)
    if not causes:
        return UserError("A process that holds a model died again and again, perhaps for want of memory.")
    name, message = causes[-1]
    return UserError(message if name == UserError.__name__ else f"A model could not be loaded: {name}: {message}")
