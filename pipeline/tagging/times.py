"""Times of entities, from the words of the transcript."""

from collections.abc import Sequence

from pipeline.speech.words import Word


def entity_times(words: Sequence[Word], char_start: int, char_end: int) -> tuple[float, float]:
    """Return the start of the first word and the end of the last word that a span overlaps.

    Args:
        words: Words of the transcript in order.
        char_start: Index of the span's first character.
        char_end: Index after its last character.

    Returns:
        Start and end in seconds.

    Raises:
        ValueError: The span overlaps no word.
    """
    touched = [word for word in words if max(word.char_start, char_start) < min(word.char_end, char_end)]
    if not touched:
        raise ValueError(f"no word has a character between {char_start} and {char_end}")
    return touched[0].start_s, touched[-1].end_s
