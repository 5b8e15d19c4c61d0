"""The forms in which texts are compared: as they are, normalised, and split into mixed tokens."""

import re
import unicodedata

from pipeline.speech.words import CJK, WORD

_LETTER = r"[^\W\d_]"
_KEPT = re.compile(rf"[^\W_]+(?:(?<={_LETTER})'(?={_LETTER})[^\W_]+)*")
_IDEOGRAPH = re.compile(rf"[{CJK}]")


def normalise(text: str) -> str:
    """Take away what two careful writers of one sentence may do differently.

    The text becomes NFKC in lower case, and 臺 becomes 台. Every character but letters, digits (numerals such as 〇
    too) and apostrophes between letters becomes a space; runs of spaces become one, and none is left at an edge. A
    typographic apostrophe is an apostrophe.
    """
    text = unicodedata.normalize("NFKC", text).lower().replace("臺", "台").replace("’", "'")
    return " ".join(_KEPT.findall(text))


def normalise_entity(text: str) -> str:
    """Normalise the text of an entity; one with a CJK ideograph loses all its spaces, which mean nothing there."""
    text = normalise(text)
    return text.replace(" ", "") if _IDEOGRAPH.search(text) else text


def mixed_tokens(text: str) -> str:
    """Put single spaces between a text's tokens: each CJK ideograph is one, and so is each run of other characters."""
    return " ".join(WORD.findall(text))
