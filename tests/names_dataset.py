"""Datasets of the entity group names from labelled texts, and one with an example far longer than the others."""

from collections.abc import Iterable, Sequence

import pyarrow as pa

from pipeline.corpus.tagging_datasets import Dataset, LabelledText, build
from pipeline.tagging.entities import Span
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.prompts import Prompt, completion

GROUP = load_entity_groups()[0]


def examples(texts: Iterable[tuple[str, Sequence[Span]]]) -> pa.Table:
    """Return the rows of texts with their spans, of which those of other groups are left out."""
    labelled = [
        LabelledText(
            str(number),
            "gold",
            text,
            [
                {"type": s.type, "char_start": s.char_start, "char_end": s.char_end, "group": "names", "match": "exact"}
                for s in spans
                if s.type in GROUP.types
            ],
        )
        for number, (text, spans) in enumerate(texts)
    ]
    return build(Prompt.of(GROUP), [[text] for text in labelled], 1.0, 0)[0]


def halves(texts: Sequence[tuple[str, Sequence[Span]]]) -> Dataset:
    """Return a dataset of texts: half to train on, half to validate."""
    return Dataset(Prompt.of(GROUP), {"train": examples(texts[0::2]), "valid": examples(texts[1::2])})


def outlier(table: pa.Table, times: int, long_entity: bool = False) -> pa.Table:
    """One example of all texts of a table, numbered, again and again."""
    text, spans = "", []
    for number, row in enumerate(table.to_pylist() * times):
        text += f"{number}: "
        if long_entity and number == 1:  # longer than neighbouring parts overlap
            spans.append(Span("PATIENT", len(text), len(text) + 329))
            text += "Maria de la Concepción y San Juan "[:33] * 10 + " "
        spans += [
            Span(span["type"], len(text) + span["char_start"], len(text) + span["char_end"]) for span in row["spans"]
        ]
        text += row["transcript"] + " "
    row = {"recording_id": "long", "text_source": "gold", "transcript": text, "tagged": completion(text, spans)}
    places = [{key: vars(span)[key] for key in ("type", "char_start", "char_end")} for span in spans]
    return pa.Table.from_pylist([row | {"spans": places}], schema=table.schema)
