"""How well the demo's tagger finds entities in the clinic: in what was said, and in what was heard."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import tables
from pipeline.corpus.grammar import Grammar
from pipeline.scoring import entities
from pipeline.scoring.matching import match
from pipeline.settings import demo_profile
from pipeline.speech.language import Language, language_of
from pipeline.speech.words import Transcript
from pipeline.tagging.patterns import find, load_patterns
from pipeline.tagging.rules import load_rules
from pipeline.tagging.settling import settle
from pipeline.tagging.tagger import Tagger
from pipeline.tagging.times import entity_times
from tuning.demo.corpus import Clip

BATCH = 64


def find_entities(transcripts: Mapping[str, Transcript], base_model: str, adapters: str) -> pa.Table:
    """Find the entities of transcripts as the pipeline does with the demo's profile.

    Args:
        transcripts: By recording id.
        base_model: Folder of the tagger's base.
        adapters: Folder with one adapter folder for each group.

    Returns:
        The table of entities.
    """
    settings = demo_profile().tagger
    tagger = Tagger(base_model, adapters, settings, "cpu")
    patterns, rules = load_patterns(settings.patterns), load_rules(settings.rules)
    rows: list[dict[str, Any]] = []
    ids = list(transcripts)
    for start in range(0, len(ids), BATCH):
        some = ids[start : start + BATCH]
        for recording_id, tagged in zip(some, tagger.tag([transcripts[i].text for i in some]), strict=True):
            transcript = transcripts[recording_id]
            language = language_of(transcript.text)
            found = [*tagged, *find(patterns, transcript.text, language)]
            for entity in settle(found, language, rules, settings.thresholds):
                start_s, end_s = entity_times(transcript.words, entity.char_start, entity.char_end)
                rows.append(vars(entity) | {"recording_id": recording_id, "start_s": start_s, "end_s": end_s})
    return tables.from_rows(rows, tables.ENTITIES)


def entity_scores(folder: Path, clips: Mapping[str, Clip], predicted: pa.Table) -> dict[str, Any]:
    """Score entities of a folder of the clinic.

    Args:
        folder: A phase of the corpus, or the shipped clips.
        clips: Its recordings by id.
        predicted: What was found in them.

    Returns:
        For ``all`` recordings and for each language: micro F1 by type and text (``strict``), by type and overlap in
        time (``overlap``), by type and text of the names that training never had (``unseen_names``), and the medians of
        ``start_off_s`` and ``end_off_s`` over the entities matched by type and time.
    """
    reference = pq.read_table(folder / "entities.parquet", schema=tables.ENTITIES)
    languages: dict[str, Language] = {recording_id: clip.language for recording_id, clip in clips.items()}
    unseen_names = [_unseen(table, languages) for table in (reference, predicted)]
    result: dict[str, Any] = {}
    for name, chosen in (("all", ("en", "zh")), ("en", ("en",)), ("zh", ("zh",))):
        some = {i: language for i, language in languages.items() if language in chosen}
        measured = entities.scores(entities.count(some, reference, predicted))
        unseen = entities.scores(entities.count(some, *unseen_names))
        off = np.array(_times_off(reference, predicted, some)).reshape(-1, 2)
        start_off, end_off = np.median(off, axis=0).round(3).tolist() if len(off) else (None, None)
        result[name] = {
            "entities": measured["reference"],
            "strict": round(measured["strict"]["micro"]["f1"], 4),
            "overlap": round(measured["overlap"]["micro"]["f1"], 4),
            "unseen_names": round(unseen["strict"]["micro"]["f1"], 4),
            "start_off_s": start_off,
            "end_off_s": end_off,
        }
    return result


def _unseen(table: pa.Table, languages: Mapping[str, Language]) -> pa.Table:
    """Keep the entities whose text has a name of the test part's own."""
    is_unseen = {language: Grammar(language).has_test_name for language in ("en", "zh")}
    rows = table.select(["recording_id", "text"]).to_pylist()
    return table.filter(
        pa.array(
            [
                row["recording_id"] in languages and is_unseen[languages[row["recording_id"]]](row["text"])
                for row in rows
            ]
        )
    )


def _times_off(reference: pa.Table, predicted: pa.Table, ids: Mapping[str, Language]) -> list[tuple[float, float]]:
    said, found = map(entities.timed, (reference, predicted))
    return [
        (abs(one.start_ms - other.start_ms) / 1000, abs(one.end_ms - other.end_ms) / 1000)
        for i in ids
        for pair in match(said.get(i, []), found.get(i, []), typed=True)
        for one, other in [(said[i][pair.reference], found[i][pair.predicted])]
    ]
