"""What the tagger finds: spans of one group in one text, their inline tags, and the entities made of them."""

import re
from dataclasses import dataclass

_TAG = re.compile(r"<(/?)([A-Z][A-Z0-9_-]*)>")


@dataclass(frozen=True)
class Span:
    """A tagged stretch of a text.

    Attributes:
        type: The type, such as DATE.
        char_start: Index of the first character.
        char_end: Index after the last character.
        confidence: Probability of its tags in 0..1, or None where nobody estimated it.
    """

    type: str
    char_start: int
    char_end: int
    confidence: float | None = None


@dataclass(frozen=True)
class Entity:
    """A sensitive entity in a transcript.

    Attributes:
        type: The type, such as DATE.
        group: The group whose adapter found it, or ``patterns``.
        text: The transcript's characters ``char_start`` to ``char_end``, half open.
        char_start: Index of the first character.
        char_end: Index after the last character.
        confidence: Probability of its tags in 0..1, or a pattern's score in 0..1, or None.
        source: ``adapter``, ``pattern``, or ``rule`` where a rule gave it its type.
        kept: False where something removed it.
        cause: What removed it: ``threshold``, ``rule:`` with the rule's name, or ``overlap``.
    """

    type: str
    group: str
    text: str
    char_start: int
    char_end: int
    confidence: float | None
    source: str
    kept: bool = True
    cause: str | None = None


def strip_tags(tagged: str) -> str:
    """Return tagged text without its tags."""
    return _TAG.sub("", tagged)


def parse(tagged: str) -> tuple[str, list[Span]]:
    """Split tagged text into the text and its spans, in order.

    Raises:
        ValueError: A tag is unmatched, nested or malformed, or an entity is empty or has a space at an edge.
    """
    text, spans, opened = "", [], None
    end = 0
    for match in _TAG.finditer(tagged):
        text += tagged[end : match.start()]
        end = match.end()
        closing, type_ = match.groups()
        if not closing and opened is None:
            opened = (type_, len(text))
        elif closing and opened is not None and opened[0] == type_:
            entity = text[opened[1] :]
            if not entity or entity != entity.strip():
                raise ValueError(f"an entity of {type_} is empty or has a space at an edge")
            spans.append(Span(type_, opened[1], len(text)))
            opened = None
        else:
            raise ValueError(f"tag {match.group()} has no partner")
    text += tagged[end:]
    if opened is not None:
        raise ValueError(f"tag <{opened[0]}> has no partner")
    if "<" in text:
        raise ValueError("a < opens no tag")
    return text, spans
