"""Whether there is anything to compare, before scores are made of nothing."""

from collections.abc import Collection
from dataclasses import replace

from pipeline.errors import UserError
from pipeline.submission import Submission, in_task2


def comparable(reference: Submission, other: str, ids: Collection[str]) -> tuple[Submission, str]:
    """Return what of a reference can be compared.

    Args:
        reference: The reference.
        other: The option and folder of what is compared with it.
        ids: Ids of the recordings there.

    Returns:
        The reference, where an empty kind, transcripts or entities, counts as missing; and a sentence on that, or "".

    Raises:
        UserError: The reference is empty, or has no recording in common with the other.
    """
    rows = [] if reference.entities is None else reference.entities.to_pylist()
    wanted = [row for row in rows if in_task2(row)]
    there = {*(reference.transcripts or ()), *(row["recording_id"] for row in wanted)}
    if not there:
        raise UserError(f"--reference {reference.path} holds no transcript and no entity with times: nothing to score.")
    if ids and not there & set(ids):
        raise UserError(
            f"--reference {reference.path} ({len(there)} recordings) and {other} ({len(set(ids))}) have no id in "
            "common: are they of the same recordings?"
        )
    if not ids:
        return reference, f"{other} is empty: it holds no recording."
    if reference.entities is not None and not wanted:
        said = "The reference has transcripts and no entity, so only the transcripts are scored."
        return replace(reference, entities=None), said
    if reference.transcripts is not None and not reference.transcripts:
        said = "The reference has entities and no transcript, so only the entities are scored."
        return replace(reference, transcripts=None), said
    return reference, ""


def ids_of(submission: Submission) -> set[str]:
    """Return the ids of the recordings of which a folder holds a transcript or an entity."""
    of_entities = [] if submission.entities is None else submission.entities["recording_id"].to_pylist()
    return {*(submission.transcripts or ()), *of_entities}
