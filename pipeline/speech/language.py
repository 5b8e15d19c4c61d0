"""The language of a recording, and with it the recogniser whose transcript counts."""

import re
from typing import Literal

from pipeline.speech.words import CJK

Language = Literal["en", "zh"]

_IDEOGRAPH = re.compile(rf"[{CJK}]")


def language_of(text: str) -> Language:
    """Tell the language of a transcript by the reference's rule: a CJK ideograph makes it Mandarin, else English.

    The two may mix in one transcript; a single ideograph is enough. Text without any letter counts as English.
    """
    return "zh" if _IDEOGRAPH.search(text) else "en"
