"""The language of a text, detected from its script."""

import re
from typing import Literal, get_args

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
