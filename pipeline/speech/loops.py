"""Text that an ASR model repeats without end, a known fault of models that generate it token by token."""

import zlib

from pipeline.speech.words import WORD

_LONGEST = 12  # words of a phrase that is looked for
_PUNCTUATION = ".,!?;:。，、！？；："


def loop_at_end(text: str, most: int) -> int | None:
    """Find where a text begins to repeat a phrase and goes on so to its end.

    Args:
        text: A transcript.
        most: How often a phrase of up to 12 words (ideographs, runs of other letters) may stand in a row there.

    Returns:
        Index of the character after the first of the repeated phrases, or None where none is repeated so often.
    """
    words = list(WORD.finditer(text))
    forms = [word.group().strip(_PUNCTUATION).lower() for word in words]
    for start in range(len(forms)):
        for size in range(1, _LONGEST + 1):
            phrase, rest = forms[start : start + size], forms[start:]
            if len(rest) > most * size and all(form == phrase[i % size] for i, form in enumerate(rest)):
                return words[start + size - 1].end()
    return None


def compression_ratio(text: str) -> float:
    """Return how many times shorter a text becomes by zlib, the measure of Whisper's paper; 0 for an empty text."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0
