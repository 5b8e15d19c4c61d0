"""Made-up labelled texts for entity groups of which the folders have too few examples."""

import random
from collections.abc import Sequence

from pipeline.corpus.tagging_datasets import LabelledText
from pipeline.synthetic.grammar import Grammar
from pipeline.tagging.entity_groups import EntityGroup

SYNTHETIC = "synthetic"
"""Their source, and how their ids begin."""

_MOST_DRAWS = 400  # sentences for one with an entity of the group, before it is given up
_OTHERS = 1  # texts without an entity of the group, for each with one


def with_entities_of(group: EntityGroup, count: int, seed: str) -> list[Sequence[LabelledText]]:
    """Draw texts of the made-up clinic, English and Mandarin by turns.

    Args:
        group: The entity group.
        count: Number of texts with an entity of the group, and about of those without.
        seed: Random seed; the same gives the same texts.

    Returns:
        For each text, what ``tagging_datasets.build`` takes; fewer, or none, if the clinic has no such entity.
    """
    grammars = (Grammar("en"), Grammar("zh"))
    rng = random.Random(f"{seed} {group.name}")
    found: dict[bool, list[Sequence[LabelledText]]] = {True: [], False: []}
    known: set[str] = set()
    for number in range(_MOST_DRAWS * count):
        sentence = grammars[number % 2].sentence(rng, "training")
        labels = [
            {"group": group.name, "type": span.type, "match": "exact"}
            | {"char_start": span.char_start, "char_end": span.char_end}
            for span in sentence.spans
            if span.type in group.types
        ]
        of_group = found[bool(labels)]
        if sentence.text not in known and len(of_group) < (count if labels else count * _OTHERS):
            known.add(sentence.text)
            of_group.append([LabelledText(f"{SYNTHETIC}-{number}", SYNTHETIC, sentence.text, labels)])
        if len(found[True]) == count:
            break
    return [*found[True], *found[False]]
