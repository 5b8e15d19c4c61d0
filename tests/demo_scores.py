"""The scores of the demo's models on recordings of the clinic, through the same classes as everybody's."""

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import EntityFinder, Transcription, tables
from pipeline.scoring import entities
from pipeline.scoring.matching import match
from pipeline.scoring.normalise import normalise
from pipeline.scoring.transcripts import count_edits
from pipeline.settings import PROFILES
from pipeline.speech.words import Transcript
from pipeline.synthetic.grammar import Grammar
from tests.clinic import Clip, read_clips

BATCH = 8  # that of the demo: the end times of Parakeet depend on the other recordings of a batch


def measure(folder: Path) -> dict[str, Any]:
    """Score the shipped models on a folder of the clinic, as ``scores.json`` beside them has it.

    Returns:
        ``heard``: see ``transcript_scores``; ``entities``: see ``entity_scores``, those of what is ``said`` and of what
        was ``heard``.
    """
    clips = read_clips(folder)
    transcribe, find = Transcription(PROFILES["demo"]), EntityFinder(PROFILES["demo"])
    batches = [clips[start : start + BATCH] for start in range(0, len(clips), BATCH)]
    written = [transcript for batch in batches for transcript in transcribe([clip.samples() for clip in batch])]
    texts = {"said": [clip.said for clip in clips], "heard": written}
    found = {name: _entities(clips, transcripts, find(transcripts)) for name, transcripts in texts.items()}
    return {
        "heard": transcript_scores(clips, written),
        "entities": {name: entity_scores(folder, clips, table) for name, table in found.items()},
    }


def _entities(clips: Sequence[Clip], transcripts: Sequence[Transcript], found: Sequence[Sequence[Any]]) -> pa.Table:
    rows = [
        {"recording_id": clip.recording_id} | entity.to_row()
        for clip, some in zip(clips, found, strict=True)
        for entity in some
    ]
    return tables.from_rows(rows, tables.ENTITIES)


def transcript_scores(clips: Sequence[Clip], written: Sequence[Transcript]) -> dict[str, Any]:
    """Score transcripts.

    Returns:
        ``routed``: share of clips whose language was told right. By language: ``clips``; ``error_rate`` (words
        in English, characters in Mandarin, text normalised); ``word_start_off_s`` and ``word_end_off_s``: medians over
        the words that were written right.
    """
    pairs = list(zip(clips, written, strict=True))
    routed = [transcript.language == clip.said.language for clip, transcript in pairs]
    result: dict[str, Any] = {"routed": sum(routed) / len(routed)}
    for language, measure in (("en", "wer"), ("zh", "cer")):
        some = [(clip.said, transcript) for clip, transcript in pairs if clip.said.language == language]
        edits = [count_edits(measure, normalise(said.text), normalise(other.text)) for said, other in some]
        hits, *wrong = np.sum(edits, axis=0)
        off = np.median([off for said, other in some for off in _words_off(said, other)] or [(np.nan, np.nan)], axis=0)
        result[language] = {
            "clips": len(some),
            "error_rate": float(sum(wrong) / (hits + wrong[0] + wrong[1])),
            "word_start_off_s": float(off[0]),
            "word_end_off_s": float(off[1]),
        }
    return result


def entity_scores(folder: Path, clips: Sequence[Clip], predicted: pa.Table) -> dict[str, Any]:
    """Score entities.

    Returns:
        For ``all`` recordings and for each language: micro F1 by type and text (``strict``), by type and overlap in
        time (``overlap``), by type and text of the names that training never had (``unseen_names``), and the medians of
        ``start_off_s`` and ``end_off_s`` over the entities matched by type and time.
    """
    reference = pq.read_table(folder / "entities.parquet", schema=tables.ENTITIES)
    languages = {clip.recording_id: clip.said.language for clip in clips}
    unseen = [_with_test_name(table, languages) for table in (reference, predicted)]
    result: dict[str, Any] = {}
    for name, chosen in (("all", ("en", "zh")), ("en", ("en",)), ("zh", ("zh",))):
        some = {i: language for i, language in languages.items() if language in chosen}
        measured = entities.scores(entities.count(some, reference, predicted))
        off = np.median(_times_off(reference, predicted, some), axis=0)
        result[name] = {
            "strict": measured["strict"]["micro"]["f1"],
            "overlap": measured["overlap"]["micro"]["f1"],
            "unseen_names": entities.scores(entities.count(some, *unseen))["strict"]["micro"]["f1"],
            "start_off_s": float(off[0]),
            "end_off_s": float(off[1]),
        }
    return result


def _with_test_name(table: pa.Table, languages: Mapping[str, str]) -> pa.Table:
    """Keep the entities whose text has a name of the test part's own."""
    has_test_name = {language: Grammar(language).has_test_name for language in ("en", "zh")}
    rows = table.select(["recording_id", "text"]).to_pylist()
    return table.filter(pa.array([has_test_name[languages[row["recording_id"]]](row["text"]) for row in rows]))


def _times_off(reference: pa.Table, predicted: pa.Table, ids: Mapping[str, str]) -> list[tuple[float, float]]:
    said, found = map(entities.timed, (reference, predicted))
    return [
        (abs(one.start_ms - other.start_ms) / 1000, abs(one.end_ms - other.end_ms) / 1000)
        for i in ids
        for pair in match(said.get(i, []), found.get(i, []), typed=True)
        for one, other in [(said[i][pair.reference], found[i][pair.predicted])]
    ]


def _words_off(said: Transcript, written: Transcript) -> list[tuple[float, float]]:
    """Return by how many seconds starts and ends differ, for each word that was written right."""
    texts = [[normalise(word.text) for word in transcript.words] for transcript in (said, written)]
    blocks = SequenceMatcher(None, *texts, autojunk=False).get_matching_blocks()
    pairs = [(said.words[b.a + i], written.words[b.b + i]) for b in blocks for i in range(b.size)]
    return [(abs(one.start_s - other.start_s), abs(one.end_s - other.end_s)) for one, other in pairs]
