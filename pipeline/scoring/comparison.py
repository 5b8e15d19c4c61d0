"""All scores of a submission against a reference."""

from typing import Any

from pipeline.errors import UserError
from pipeline.scoring import coverage, entities, text_leak, transcripts
from pipeline.speech.language import Language, language_of
from pipeline.submission import Submission


def compare(reference: Submission, judged: Submission, run: Submission | None = None) -> dict[str, Any]:
    """Score the transcripts, the entities or both, whichever the two folders have in common.

    Args:
        reference: The reference.
        judged: The submission.
        run: The submission as the tables of a run have it, for the places of entities in transcripts, or None.

    Returns:
        ``reference`` and ``submission``, the folders; ``transcripts`` and ``entities``, the scores of
        ``pipeline.scoring``; ``redaction``, what would be left and covered if all entities of the submission were
        redacted; and ``worst``, the worst recordings of each.

    Raises:
        UserError: One has only transcripts, the other only entities.
    """
    scores: dict[str, Any] = {"reference": reference.path, "submission": judged.path}
    worst: dict[str, list[dict[str, Any]]] = {}
    if reference.transcripts is not None and judged.transcripts is not None:
        edits = transcripts.count(reference.transcripts, judged.transcripts)
        scores["transcripts"] = transcripts.scores(edits)
        worst["transcripts"] = transcripts.worst(edits)
    if reference.entities is not None and judged.entities is not None:
        counts = entities.count(languages(reference), reference.entities, judged.entities)
        scores["entities"] = entities.scores(counts)
        worst["entities"] = entities.worst(counts)
        scores["redaction"] = _redaction(counts.ids, reference, judged, run or judged)
    if not worst:
        raise UserError(
            f"--reference {reference.path} and --submission {judged.path} have nothing in common: "
            "one holds transcripts, the other entities."
        )
    return scores | {"worst": worst}


def _redaction(ids: list[str], reference: Submission, judged: Submission, run: Submission) -> dict[str, Any]:
    assert reference.entities is not None and judged.entities is not None
    wanted, found = entities.timed(reference.entities), entities.timed(judged.entities)
    scores = {
        "clean_recordings": coverage.clean_recordings(ids, wanted, found),
        "coverage": coverage.curves(ids, wanted, found),
    }
    if run.transcripts is not None and run.entities is not None:
        said = reference.transcripts or {}
        scores["text_leak"] = text_leak.scores(ids, wanted, said, run.transcripts, run.entities)
    return scores


def languages(reference: Submission) -> dict[str, Language]:
    """Detect the language of each recording of the reference from its transcript, else from its entities' texts."""
    texts: dict[str, str] = {}
    if reference.entities is not None:
        for row in reference.entities.select(["recording_id", "text"]).to_pylist():
            texts[row["recording_id"]] = texts.get(row["recording_id"], "") + row["text"]
    return {recording_id: language_of(text) for recording_id, text in (texts | (reference.transcripts or {})).items()}
