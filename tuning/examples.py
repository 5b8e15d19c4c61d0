"""Examples of a tagging dataset as tokens, each within the length that a training has memory for."""

import itertools
from collections.abc import Iterator

import datasets
import pyarrow as pa
from transformers import PreTrainedTokenizerBase

from pipeline.errors import UserError
from pipeline.tagging.alphabet import Alphabet, token_bytes
from pipeline.tagging.entities import Span
from pipeline.tagging.prompts import Prompt, completion, encode, end_of_turn, guard, render
from pipeline.tagging.tagger import cut

_SHORTEST_BYTES = 64  # of a transcript's part; below it, the prompt is what is too long


def tokenize(
    table: pa.Table, prompt: Prompt, tokenizer: PreTrainedTokenizerBase, loss: str, sequence_tokens: int
) -> datasets.Dataset:
    """Turn examples into token ids, rendered as inference renders them.

    A transcript that is too long is cut as inference cuts one that does not fit the context.

    Args:
        table: Rows of ``tagging_datasets.SCHEMA``.
        prompt: The prompt before each transcript.
        tokenizer: That of the base model.
        loss: ``answer``, or ``all`` to learn from the prompts too.
        sequence_tokens: Most tokens of an example.

    Returns:
        ``input_ids``, and with ``answer`` also ``completion_mask``: 1 where a token is learned from.

    Raises:
        UserError: The prompt leaves no room for a transcript.
    """
    end = end_of_turn(tokenizer)
    alphabet = Alphabet(token_bytes(tokenizer).values())
    rows: dict[str, list[list[int]]] = {"input_ids": [], "completion_mask": []}

    def encoded(text: str, tagged: str) -> tuple[list[int], list[int]]:
        question = render(tokenizer, prompt, alphabet.write(guard(text)))
        return encode(tokenizer, question), encode(tokenizer, alphabet.write(tagged) + end)

    for row in table.select(["transcript", "spans", "tagged"]).to_pylist():
        text = row["transcript"]
        pairs = [encoded(text, row["tagged"])]
        size = len(text.encode("utf-8", "replace"))
        for parts in itertools.count(2):
            if all(len(question) + len(answer) <= sequence_tokens for question, answer in pairs):
                break
            if size // parts < _SHORTEST_BYTES:
                raise UserError(
                    f"--sequence-tokens {sequence_tokens}: the prompt of the group {prompt.group} takes "
                    f"{len(encoded('', '')[0])} tokens and leaves too little for a transcript: give more, or fewer "
                    "few-shot turns."
                )
            spans = [Span(**span) for span in row["spans"]]
            pairs = [encoded(*part) for part in _parts(text, spans, size // parts)]
        for question, answer in pairs:
            rows["input_ids"].append(question + answer)
            rows["completion_mask"].append([0] * len(question) + [1] * len(answer))
    if loss == "all":
        del rows["completion_mask"]
    return datasets.Dataset.from_dict(rows)


def _parts(text: str, spans: list[Span], most_bytes: int) -> Iterator[tuple[str, str]]:
    """Yield the parts of a transcript and their answers; an entity at a border stands whole in the later part."""
    for start, end in cut(text, most_bytes):
        for span in spans:
            if span.char_start < start < span.char_end:
                start = span.char_start
            if span.char_start < end < span.char_end:
                end = span.char_start
        part = text[start:end].strip()
        if part:
            start += len(text[start:end]) - len(text[start:end].lstrip())
            inside = [span for span in spans if start <= span.char_start and span.char_end <= start + len(part)]
            moved = [Span(span.type, span.char_start - start, span.char_end - start) for span in inside]
            yield part, completion(part, moved)
