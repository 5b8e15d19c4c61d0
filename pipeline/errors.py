"""The exception that stands for a user's mistake, and messages of other errors that hold no patient text."""

import re
import socket
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager
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


def stack_without_text(error: BaseException) -> str:
    """Return the traceback of an error as Python prints it, in other processes too, without its messages."""
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = [stack_without_text(behind)] if behind else []
    if error.__traceback__:
        lines += traceback.format_tb(error.__traceback__)
    lines += [f"{line}\n" for line in _PLACE.findall(str(error))]  # Ray's errors quote the tracebacks of its workers
    return "".join([*lines, f"{type(error).__name__}\n"])


_PLACE = re.compile(r"^ *File \"[^\"\n]+\", line \d+, in [\w.<>]+$", re.MULTILINE)


class WithoutTextError(Exception):
    """Stands for an error of a library, by its class and place."""


@contextmanager
def only_without_text() -> Iterator[None]:
    """Raise a ``WithoutTextError`` for an error of the body: Ray logs, prints and keeps what ends a training.

    A ``UserError`` stays as it is.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise WithoutTextError(without_text(error)) from None


def reason(error: OSError) -> str:
    """Say in the system's words why a file cannot be read or written."""
    return error.strerror or type(error).__name__


def nearest(name: str, known: Collection[str]) -> str:
    """Return which of the known names is most like another."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    return str(process.extractOne(name, sorted(known), scorer=OSA.normalized_similarity)[0])


def unwritten(error: OSError) -> str:
    """Say why a file cannot be written, and on which node of a cluster."""
    return f"{reason(error)} on node {socket.gethostname()}"


_CAUSE = re.compile(r"^(?:\w+\.)*(\w*(?:Error|Exception)): (.*)$", re.MULTILINE)


def is_load_error(died: str) -> bool:
    """Say whether the message of an actor that died names an error: then it died while it loaded its model."""
    return bool(_CAUSE.search(died))


def load_error(died: str) -> UserError:
    """Turn the message of an actor that died while it loaded its model into a sentence: it ends with the cause."""
    causes = _CAUSE.findall(died)
    if not causes:
        return UserError("A process died while it loaded its model, perhaps for want of memory.")
    name, message = causes[-1]
    return UserError(message if name == UserError.__name__ else f"A model could not be loaded: {name}: {message}")
