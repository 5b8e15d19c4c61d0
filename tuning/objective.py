"""How well an adapter in training tags, by decoding as inference does."""

import pyarrow as pa
from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from pipeline import settings
from pipeline.tagging.constraint import Constraint, Vocabulary
from pipeline.tagging.decoding import Decoder, Prefix, Request
from pipeline.tagging.prompts import Prompt, encode, end_of_turn, guard, render

_KNOBS = settings.Tagger()


def entity_f1(model: PeftModel, tokenizer: PreTrainedTokenizerBase, prompt: Prompt, sample: pa.Table) -> float:
    """Return the strict micro F1 (type, start and end) of the entities decoded from transcripts.

    Args:
        model: The adapter, on its base.
        tokenizer: That of the base.
        prompt: What the model is told.
        sample: Rows of ``tagging_sets.SCHEMA``. Without any entity, in them or found, the score is 1.
    """
    vocabulary = Vocabulary(tokenizer, end_of_turn(tokenizer))
    prefix = Prefix(encode(tokenizer, render(tokenizer, prompt, "")))
    requests = [
        Request(
            encode(tokenizer, render(tokenizer, prompt, text)),
            Constraint(vocabulary, guard(text), list(prompt.types), _KNOBS.max_entities),
            prefix,
        )
        for text in sample["transcript"].to_pylist()
    ]
    decoded = Decoder(model.eval(), vocabulary, _KNOBS.batch_size).decode(requests)
    hits = total = 0
    for found, gold in zip(decoded, sample["spans"].to_pylist(), strict=True):
        right = {(span["type"], span["char_start"], span["char_end"]) for span in gold}
        hits += len(right & {(span.type, span.char_start, span.char_end) for span in found})
        total += len(right) + len(found)
    return 2 * hits / total if total else 1.0
