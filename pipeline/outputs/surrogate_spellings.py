"""What the spellings of one text have in common."""

import unicodedata

from pipeline.tagging.spoken import simplified, without_accents

RARE_APOSTROPHES = "ʼ‘`´′＇ʹ"
"""What stands for ' and ’."""

_NO_APOSTROPHES = str.maketrans("", "", "'’" + RARE_APOSTROPHES)


def key(text: str) -> str:
    """Return what all spellings of a text share.

    Small or capital letters, accents, apostrophes, widths, and Chinese characters in traditional or simplified form
    make no difference.
    """
    bare = without_accents(text.translate(_NO_APOSTROPHES))
    return simplified(unicodedata.normalize("NFKC", bare)).casefold()
