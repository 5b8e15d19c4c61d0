"""Normalise texts and split them into mixed tokens for comparison."""

import re
import unicodedata

from pipeline.speech.language import CJK
from pipeline.speech.words import WORD

_LETTER = r"[^\W\d_]"
_KEPT = re.compile(rf"[^\W_]+(?:(?<={_LETTER})'(?={_LETTER})[^\W_]+)*")
_IDEOGRAPH = re.compile(rf"[{CJK}]")


def normalise(text: str) -> str:
    """Remove differences between texts that do not change what was said.

    The text becomes NFKC in lower case, 臺 becomes 台, and typographic apostrophes become plain ones. All characters
    except letters, digits (including numerals such as 〇) and apostrophes between letters become spaces. Runs of spaces
    become one space, and spaces at the edges are removed.
    """
    text = unicodedata.normalize("NFKC", text).lower().replace("臺", "台").replace("’", "'")
    return " ".join(_KEPT.findall(text))


def normalise_entity(text: str) -> str:
    """Normalise the text of an entity; if it has a CJK ideograph, also remove spaces, which have no meaning there."""
    text = normalise(text)
    return text.replace(" ", "") if _IDEOGRAPH.search(text) else text


def tokens_apart(text: str) -> list[str]:
    """Return the mixed tokens of a normalised text, parted at apostrophes too: a name also stands in its genitive."""
    return mixed_tokens(normalise(text).replace("'", " ")).split()


def mixed_tokens(text: str) -> str:
    """Put single spaces between the tokens of a text: CJK ideographs, and runs of other characters."""
    return " ".join(WORD.findall(text))
