"""Where a run differs from what people say: entity by entity, and word by word."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from rapidfuzz.distance import Levenshtein

from pipeline.scoring.matching import Entity, match_typed_first
from pipeline.scoring.normalise import normalise
from pipeline.speech.words import WORD

Place = tuple[int, int]
"""First character, and the one behind the last."""


class Mark(NamedTuple):
    """What became of an entity.

    Attributes:
        state: ``found``: one of the same type overlaps it. ``wrong type``: one of another type does. Else an entity of
            the reference is ``missed``, and a predicted one ``spurious``.
        other: Place of the entity that it is matched with, in the other list; None without one.
    """

    state: Literal["found", "wrong type", "missed", "spurious"]
    other: int | None = None


def mark_entities(
    reference: Sequence[Mapping[str, Any]], predicted: Sequence[Mapping[str, Any]]
) -> tuple[list[Mark | None], list[Mark | None]]:
    """Compare the entities of one recording by their times, as the scores do.

    Args:
        reference: Rows of entities of people.
        predicted: Rows of entities to judge.

    Returns:
        A mark for each row; None for one that task 2 does not hold, as it was dropped or has no times.
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
    """Compare two transcripts by their mixed tokens, each normalised, along the fewest edits.

    Returns:
        The places of the tokens that were substituted or deleted, in the reference, and of those that stand in their
        place or were inserted, in the answer.
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


def _timed(rows: Sequence[Mapping[str, Any]]) -> dict[int, Entity]:
    """Return the entities that task 2 would hold, by their places."""
    return {place: Entity.from_row(row) for place, row in enumerate(rows) if row["kept"] and row["start_s"] is not None}
