"""Mentions of who was found in another recording of the run, or of the same patient."""

from collections import defaultdict

import pyarrow as pa

from pipeline.settings import TaggerSettings
from pipeline.speech.words import Transcript
from pipeline.tagging.entities import Entity
from pipeline.tagging.mentions import MentionFinder
from pipeline.tagging.patients import read_patients
from pipeline.tagging.post_processing import with_times


def with_mentions_of_others(results: pa.Table, settings: TaggerSettings) -> pa.Table:
    """Add to the entities of recordings what repeats those of the others.

    Args:
        results: ``recording_id``, ``text``, ``words``, ``recognizer`` and ``entities`` of recordings.
        settings: The setting ``repeats``; unless it is ``run``, nothing is added. With ``patients``, only recordings of
            the same patient count.

    Returns:
        The same rows, in order.

    Raises:
        UserError: The table of patients cannot be read.
    """
    if settings.repeats != "run":
        return results
    patients = read_patients(settings.patients) if settings.patients else None
    rows = results.select(["recording_id", "text", "words", "recognizer", "entities"]).to_pylist()
    together: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        if patients is None or row["recording_id"] in patients:
            together[patients[row["recording_id"]] if patients else ""].append(place)
    entities = [[Entity.from_row(entity) for entity in row["entities"]] for row in rows]
    for places in together.values():
        seeds = {(each.type, each.text.casefold()): each for place in places for each in entities[place] if each.kept}
        find = MentionFinder(seeds.values())
        for place in places:
            transcript = Transcript.from_row(rows[place])
            own = [*entities[place], *with_times(find(transcript.text, entities[place]), transcript)]
            entities[place] = sorted(own, key=lambda entity: (entity.char_start, entity.char_end))
    at = results.schema.get_field_index("entities")
    column = pa.array([[entity.to_row() for entity in own] for own in entities], results.schema.field(at).type)
    return results.set_column(at, results.schema.field(at), column)
