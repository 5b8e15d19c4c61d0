"""Differences between a run and the reference, by entity and by word."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from rapidfuzz.distance import Levenshtein

from pipeline import submission
from pipeline.scoring.matching import TimedEntity, match_typed_first
from pipeline.scoring.normalise import normalise
from pipeline.speech.words import WORD

Place = tuple[int, int]
"""Index of the first character and index after the last."""


class Mark(NamedTuple):
    """Result of matching an entity.

    Attributes:
        state: ``found``: matched with an overlapping entity of the same type. ``wrong type``: matched with one of
            another type. Otherwise ``missed`` for an entity of the reference, ``spurious`` for a predicted one.
        other: Index of the matched entity in the other list, or None.
    """

    state: Literal["found", "wrong type", "missed", "spurious"]
    other: int | None = None


def mark_entities(
    reference: Sequence[Mapping[str, Any]], predicted: Sequence[Mapping[str, Any]]
) -> tuple[list[Mark | None], list[Mark | None]]:
    """Match the entities of one recording by their times, like the scores.

    Args:
        reference: Rows of the reference entities.
        predicted: Rows of the predicted entities.

    Returns:
        A mark for each row of both, or None if the entity is not part of task 2 (dropped or without times).
    """
    wanted, found = _timed(reference), _timed(predicted)
    rows, columns = list(wanted), list(found)
    of_reference: list[Mark | None] = [Mark("missed") if row in wanted else None for row in range(len(reference))]
    of_predicted: list[Mark | None] = [Mark("spurious") if row in found else None for row in range(len(predicted))]
    for pair in match_typed_first(list(wanted.values()), list(found.values())):
        row, column = rows[pair.reference], columns[pair.predicted]
        state: Literal["found", "wrong type"] = (
            "found" if reference[row]["type"] == predicted[column]["type"] else "wrong type"
        )
        of_reference[row], of_predicted[column] = Mark(state, column), Mark(state, row)
    return of_reference, of_predicted


def differing_tokens(reference: str, answer: str) -> tuple[list[Place], list[Place]]:
    """Compare the normalised mixed tokens of two transcripts by their Levenshtein alignment.

    Returns:
        Places of the substituted or deleted tokens in the reference, and of the substituted or inserted tokens in
        the answer.
    """
    of_reference, of_answer = _tokens(reference), _tokens(answer)
    edits = Levenshtein.editops([token for token, _ in of_reference], [token for token, _ in of_answer])
    return (
        [of_reference[edit.src_pos][1] for edit in edits if edit.tag != "insert"],
        [of_answer[edit.dest_pos][1] for edit in edits if edit.tag != "delete"],
    )


def _tokens(text: str) -> list[tuple[str, Place]]:
    found = [(normalise(token.group()).replace(" ", ""), token.span()) for token in WORD.finditer(text)]
    return [(token, place) for token, place in found if token]


def _timed(rows: Sequence[Mapping[str, Any]]) -> dict[int, TimedEntity]:
    """Return the entities that are part of task 2, by their indices."""
    return {place: TimedEntity.from_row(row) for place, row in enumerate(rows) if submission.in_task2(row)}
