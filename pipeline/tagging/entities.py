"""Spans in a text, their inline tags, and entities."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pipeline.submission import TYPE

_TAG = re.compile(rf"<(/?)({TYPE.pattern})>")


@dataclass(frozen=True)
class Span:
    """A tagged part of a text.

    Attributes:
        type: The type, such as DATE.
        char_start: Index of the first character.
        char_end: Index after the last character.
        confidence: Probability of its tags in 0..1, or None if unknown.
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
        group: The entity group whose adapter found it, or ``patterns``.
        text: The transcript's characters from ``char_start`` up to ``char_end``.
        char_start: Index of the first character.
        char_end: Index after the last character.
        confidence: Probability of its tags or score of a pattern, in 0..1, or None if unknown.
        source: ``adapter``, ``pattern``, ``rule`` (a rule changed its type), ``repeat`` (another mention of an entity),
            ``review`` (a person corrected or added it) or ``gold`` (a reference label).
        kept: False if post-processing dropped it, or a person rejected it.
        cause: Why it was dropped: ``threshold``, ``rule:`` with the rule's name, ``overlap``, or ``review``.
        start_s: Start of its first word in seconds, or None if unknown.
        end_s: End of its last word in seconds, or None if unknown.
        match: How a label was found in the transcript: ``exact``, ``normalised``, ``fuzzy`` or ``not_found``.
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
    start_s: float | None = None
    end_s: float | None = None
    match: str | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Entity":
        """Create an entity from a row of the table ``entities``; other columns are ignored."""
        return cls(**{field.name: row[field.name] for field in fields(cls) if field.name in row})

    def to_row(self) -> dict[str, Any]:
        """Return the row of the table ``entities``, without the recording's id."""
        return dict(vars(self))


def strip_tags(tagged: str) -> str:
    """Remove the tags from tagged text."""
    return _TAG.sub("", tagged)


def parse(tagged: str) -> tuple[str, list[Span]]:
    """Split tagged text into the text and its spans in order.

    Raises:
        ValueError: A tag is unmatched, nested or malformed, or an entity is empty or starts or ends with a space.
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
