"""The entity score of an adapter in training, decoded as in inference."""

import pyarrow as pa
from peft import PeftModel
from transformers import PreTrainedTokenizerBase

from pipeline import settings
from pipeline.tagging.constraint import Vocabulary
from pipeline.tagging.decoding import Decoder, Prefix
from pipeline.tagging.prompts import Prompt, encode, end_of_turn, render
from pipeline.tagging.requests import request

_SETTINGS = settings.TaggerSettings()


def entity_f1(model: PeftModel, tokenizer: PreTrainedTokenizerBase, prompt: Prompt, sample: pa.Table) -> float:
    """Return the strict micro F1 (type, start and end) of the entities decoded from transcripts.

    Args:
        model: The adapter, on its base.
        tokenizer: That of the base.
        prompt: The prompt before each transcript.
        sample: Rows of ``tagging_datasets.SCHEMA``.

    Returns:
        The score, 0 to 1; 1 where the sample has no entity and none is decoded.
    """
    vocabulary = Vocabulary(tokenizer, end_of_turn(tokenizer))
    prefix = Prefix(encode(tokenizer, render(tokenizer, prompt, "")))
    requests = [
        request(tokenizer, vocabulary, prompt, text, prefix, _SETTINGS.max_entities)
        for text in sample["transcript"].to_pylist()
    ]
    decoded = Decoder(model.eval(), vocabulary, _SETTINGS.batch_size).decode(requests)
    hits = total = 0
    for found, spans in zip(decoded, sample["spans"].to_pylist(), strict=True):
        reference = {(span["type"], span["char_start"], span["char_end"]) for span in spans}
        hits += len(reference & {(span.type, span.char_start, span.char_end) for span in found})
        total += len(reference) + len(found)
    return 2 * hits / total if total else 1.0
