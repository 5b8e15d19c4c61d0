"""What the spellings of one text have in common."""

import unicodedata

from pipeline.tagging.spoken import simplified

_APOSTROPHES = dict.fromkeys(map(ord, "'’ʼ‘`´′＇ʹ"))


def key(text: str) -> str:
    """Return what all spellings of a text share.

    Small or capital letters, accents, apostrophes, widths, and Chinese characters in traditional or simplified form
    make no difference.
    """
    split = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES))
    bare = "".join(character for character in split if not unicodedata.combining(character))
    return simplified(unicodedata.normalize("NFKC", bare)).casefold()
