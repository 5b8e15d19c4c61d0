"""Texts that may stay where all else is redacted, such as the names of a hospital and its staff."""

import re
import unicodedata
from pathlib import Path

from pipeline.errors import UserError, reason
from pipeline.tagging.spoken import plain
from pipeline.text_encoding import not_utf8


class AllowList:
    """Says whether the text of an entity may stay.

    Case, accents' composition, kinds of apostrophes, white space and a possessive do not count; all else does, so that
    "Lin" does not let "Mr Lin" stay.

    Args:
        path: A text file in UTF-8 with a text in each line; lines that begin with # are comments.

    Raises:
        UserError: The file cannot be read or holds no text.
    """

    def __init__(self, path: Path) -> None:
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise UserError(f"--allow {not_utf8(str(path))}") from None
        except OSError as error:
            raise UserError(f"--allow {path} cannot be read: {reason(error)}.") from None
        self._keys = {_key(line) for line in lines if line.strip() and not line.startswith("#")}
        if not self._keys:
            raise UserError(f"--allow {path} holds no text: give one in each line.")

    def __contains__(self, text: str) -> bool:
        return _key(text) in self._keys


def _key(text: str) -> str:
    words = " ".join(plain(unicodedata.normalize("NFC", text)).text.casefold().split())
    return re.sub(r"'s?$", "", words)
