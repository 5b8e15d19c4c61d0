"""Recording ids: what names a recording in every table, text file and copy."""

import os
import unicodedata

_MOST_BYTES = 240  # most file systems take 255, with the suffix of a copy


def as_id(name: str) -> str:
    """Return a name as an id: in composed Unicode (NFC), as macOS decomposes names, and without spaces at its edges."""
    return unicodedata.normalize("NFC", name).strip()


def is_id(recording_id: str) -> bool:
    """Return whether a text is a recording id: one that can be the name of a file, and fits on a line."""
    return recording_id == as_id(recording_id) and fault(recording_id) is None


def fault(recording_id: str) -> str | None:
    """Say why a text as ``as_id`` returns it cannot be an id, or None where it can."""
    if not recording_id:
        return "it is empty, or spaces alone"
    if not_utf8 := encoding_fault(recording_id):
        return not_utf8
    if {unicodedata.category(character) for character in recording_id} & {"Cc", "Zl", "Zp"}:
        return "it has a control character, such as a tab or a line end"
    if "/" in recording_id or "\\" in recording_id:
        return "it has a slash, and so cannot name a file everywhere"
    if recording_id in (".", ".."):
        return "it names a folder"
    if len(recording_id.encode()) > _MOST_BYTES:
        return f"it is longer than {_MOST_BYTES} bytes"
    return None


def id_order(recording_id: str) -> tuple[int, int, str]:
    """Return the sort key of a recording id: numeric ids come first, by value, then the others as text."""
    number = recording_id.isascii() and recording_id.isdigit() and len(recording_id) <= _MOST_BYTES
    return (0, int(recording_id), recording_id) if number else (1, 0, recording_id)


def encoding_fault(name: str) -> str | None:
    """Say of the name of a file why it is no text, or None where it is."""
    try:
        name.encode()
        return None
    except UnicodeEncodeError:
        pass
    try:
        os.fsencode(name).decode("big5")
    except UnicodeError:
        return "it is not in UTF-8"
    return (
        "it is not in UTF-8 but perhaps in Big5, as in archives made on Windows "
        "(`convmv -f big5 -t utf8 --notest -r FOLDER` renames all)"
    )
