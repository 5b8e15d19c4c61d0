"""The language of a text, detected from its script."""

import re
from typing import Literal, get_args

from pipeline.settings import IDENTIFY

CJK = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
"""CJK ideographs, for use inside a character class of a regular expression."""

Language = Literal["en", "zh"]

LANGUAGES: tuple[Language, ...] = get_args(Language)
"""The languages of recordings: English and Mandarin, in Whisper's codes too."""

_IDEOGRAPH = re.compile(rf"[{CJK}]")


def language_of(text: str) -> Language:
    """Return ``zh`` (Mandarin) if a transcript contains a CJK ideograph, else ``en``.

    This is the rule of the reference method. Mixed text counts as Mandarin, and text without letters as English.
    """
    return "zh" if _IDEOGRAPH.search(text) else "en"


def languages_of(setting: str) -> tuple[str, ...]:
    """Return the languages that Whisper's setting ``language`` lets it write, in its codes."""
    return LANGUAGES if setting == IDENTIFY else (setting,)
