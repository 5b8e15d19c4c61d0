"""Tag transcripts with the adapters of all entity groups."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import torch

from pipeline.errors import UserError
from pipeline.settings import NONE, TaggerSettings
from pipeline.tagging.adapters import load_adapters, load_base
from pipeline.tagging.constraint import Vocabulary
from pipeline.tagging.decoding import Decoder, Prefix, Request
from pipeline.tagging.entities import Entity, Span
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.prompts import Prompt, encode, end_of_turn, render
from pipeline.tagging.requests import request

_SHORTEST_CHUNK = 64  # bytes of text that must fit into the context, else the base model is rejected
_LONGEST_CONTEXT = 16384  # tokens; a longer context is not worth its memory
_OVERLAP = 256  # maximum overlap of neighbouring chunks in bytes

_SENTENCE_END = re.compile(r"(?:[.!?…]+[\"'”’)]*(?=\s)|[。！？]+[」』”’）]*)\s*")
_CLAUSE_END = re.compile(r"(?:[,;:](?=\s)|[,，、；：])\s*")
_SPACE = re.compile(r"\s+")


class Chunk(NamedTuple):
    """A part of a transcript that fits the model's context; neighbouring chunks overlap.

    Two overlapping chunks can contain the same span. It belongs to the one that shows more text around it: the one
    whose end is farther from the middle of the span.

    Attributes:
        row: Index of the transcript.
        prompt: Index of the entity group's prompt.
        start: Index of the chunk's first character in the transcript.
        end: Index after its last character.
        owns: Half-open range of ``char_start + char_end``, in characters of the transcript, of the spans that belong
            to the chunk.
    """

    row: int
    prompt: int
    start: int
    end: int
    owns: tuple[int, int]


class Tagger:
    """A base model with the adapters of all entity groups, kept in memory.

    Attributes:
        left_out: Entity groups that are not tagged because they have no adapter.
    """

    def __init__(
        self, base_model: str, adapters: str, settings: TaggerSettings, device: torch.device | str | None = None
    ):
        """Load the models.

        Args:
            base_model: Transformers folder or hub name of the causal language model.
            adapters: Folder with one adapter folder for each entity group; ``none`` tags with the base model only.
            settings: See ``TaggerSettings``.
            device: Device of the models. By default, the GPU if there is one.

        Raises:
            UserError: A model or an adapter is missing or cannot be used, or the entity groups file is malformed.
        """
        groups = load_entity_groups(settings.groups_file)
        unknown = set(settings.opening_bias) - {group.name for group in groups}
        if unknown:
            raise UserError(
                f"--tagger.opening-bias names {min(unknown)}, which is no entity group: take "
                f"{', '.join(group.name for group in groups)}."
            )
        place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        base, self._tokenizer = load_base(base_model, settings, place)
        self._model, self._prompts = load_adapters(
            base, self._tokenizer, adapters, groups, skip_missing=settings.missing_adapters == "skip"
        )
        present = {prompt.group for prompt in self._prompts}
        self.left_out = tuple(group.name for group in groups if group.name not in present)
        self._settings = settings
        try:
            self._vocabulary = Vocabulary(self._tokenizer, end_of_turn(self._tokenizer))
        except ValueError as error:
            raise UserError(
                f"The base model {base_model} (--base-model) cannot tag: {error}. Take a Llama 3, Qwen or SmolLM2."
            ) from error
        self._prefixes = [
            Prefix(self._common_prefix(prompt), None if adapters == NONE else prompt.group) for prompt in self._prompts
        ]
        self._decoder = Decoder(self._model, self._vocabulary, settings.batch_size)
        self._room = {prompt.group: self._bytes_that_fit(prompt) for prompt in self._prompts}
        short = [group for group, room in self._room.items() if room < _SHORTEST_CHUNK]
        if short:
            raise UserError(
                f"The few-shot turns of group {short[0]} and {settings.max_entities} entities do not fit the context "
                f"of {base_model}: lower --tagger.max-entities, or train with fewer few-shot turns."
            )

    def tag(self, transcripts: Sequence[str]) -> list[list[Entity]]:
        """Tag transcripts with every entity group.

        Entities of different entity groups may overlap. Of entities with the same type and span, the one with the
        highest confidence is returned.

        Args:
            transcripts: Texts; may be empty.

        Returns:
            The entities of each transcript, sorted by start.

        Raises:
            Exception: The model fails even for a single chunk, for example out of memory. The caller can then tag the
                transcripts one by one, so that only one of them fails.
        """
        chunks = [
            chunk
            for row, text in enumerate(transcripts)
            for index, prompt in enumerate(self._prompts)
            for chunk in _chunks(row, index, text, self._room[prompt.group])
        ]
        found: list[dict[tuple[int, int, str], Entity]] = [{} for _ in transcripts]
        spans = self._decode([self._request(chunk, transcripts[chunk.row]) for chunk in chunks])
        for (row, index), own in _joined(chunks, spans).items():
            for span in own:
                key = (span.char_start, span.char_end, span.type)
                known = found[row].get(key)
                if known is None or (known.confidence or 0.0) < (span.confidence or 0.0):
                    found[row][key] = _entity(self._prompts[index].group, transcripts[row], span)
        return [[entities[key] for key in sorted(entities)] for entities in found]

    def _request(self, chunk: Chunk, transcript: str) -> Request:
        prompt = self._prompts[chunk.prompt]
        return request(
            self._tokenizer,
            self._vocabulary,
            prompt,
            transcript[chunk.start : chunk.end],
            self._prefixes[chunk.prompt],
            self._settings.max_entities,
            self._settings.opening_bias.get(prompt.group, 0.0),
        )

    def _decode(self, requests: Sequence[Request]) -> list[list[Span]]:
        """Return the spans of each chunk; if memory runs out, retry with half the rows."""
        self._decoder.rows = self._settings.batch_size
        while True:
            try:
                return self._decoder.decode(requests, self._settings.mixed)
            except torch.OutOfMemoryError:
                if self._decoder.rows == 1:
                    raise
            self._decoder.release()
            torch.cuda.empty_cache()
            self._decoder.rows //= 2

    def _common_prefix(self, prompt: Prompt) -> list[int]:
        """Return the tokens with which all prompts of an entity group begin."""
        one, other = (encode(self._tokenizer, render(self._tokenizer, prompt, text)) for text in ("a", "b"))
        return one[: next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)]

    def _bytes_that_fit(self, prompt: Prompt) -> int:
        """Return how many bytes of text fit into the context twice (prompt and answer) if every byte takes a token."""
        context = min(self._model.config.max_position_embeddings, _LONGEST_CONTEXT)
        empty = len(encode(self._tokenizer, render(self._tokenizer, prompt, "")))
        longest = max(len(f"<{type_}></{type_}>".encode()) for type_ in prompt.types)
        return (context - empty - longest * self._settings.max_entities - 1) // 2


def _chunks(row: int, prompt: int, text: str, room: int) -> list[Chunk]:
    """Cut a transcript into chunks for one entity group, without those that are blank."""
    if not text.strip():
        return []
    pieces = list(cut(text, room))
    borders = [0, *(after[0] + before[1] for before, after in pairwise(pieces)), 2 * len(text) + 1]
    return [
        Chunk(row, prompt, start, end, owns)
        for (start, end), owns in zip(pieces, pairwise(borders), strict=True)
        if text[start:end].strip()
    ]


def _joined(chunks: Sequence[Chunk], spans: Sequence[Sequence[Span]]) -> dict[tuple[int, int], list[Span]]:
    """Return the spans by transcript and prompt, in characters of the transcript.

    Of overlapping spans of two chunks, the one with the highest confidence is kept.
    """
    joined: dict[tuple[int, int], list[Span]] = {}
    for chunk, found in zip(chunks, spans, strict=True):
        for span in found:
            start, end = chunk.start + span.char_start, chunk.start + span.char_end
            if chunk.owns[0] <= start + end < chunk.owns[1]:
                moved = replace(span, char_start=start, char_end=end)
                joined.setdefault((chunk.row, chunk.prompt), []).append(moved)
    for key, own in joined.items():
        kept: list[Span] = []
        for span in sorted(own, key=lambda span: -(span.confidence or 0.0)):
            if all(span.char_end <= other.char_start or other.char_end <= span.char_start for other in kept):
                kept.append(span)
        joined[key] = sorted(kept, key=lambda span: span.char_start)
    return joined


def _entity(group: str, transcript: str, span: Span) -> Entity:
    start, end = span.char_start, span.char_end
    return Entity(span.type, group, transcript[start:end], start, end, span.confidence, "adapter")


def cut(text: str, most_bytes: int) -> Iterator[tuple[int, int]]:
    """Cut a text into overlapping chunks of at most ``most_bytes`` bytes in UTF-8.

    A chunk ends after a sentence in its second half; without one, after a clause, else after a word, else anywhere.
    The next chunk begins likewise after a sentence, clause or word in the last quarter of this one, at most 256 bytes
    before its end. So an entity that one chunk cuts is complete in the other.

    Yields:
        Start and end of each chunk in characters, half open; together they cover the text.
    """
    start = 0
    while start < len(text):
        end = start + _fit(text[start : start + most_bytes], most_bytes)
        if end == len(text):
            yield start, end
            return
        half = start + _fit(text[start:end], most_bytes // 2)
        end = max(_ends(text, half, end), default=end)
        yield start, end
        overlap = text[start:end].encode("utf-8", "replace")[-min(_OVERLAP, most_bytes // 4) :]
        earliest = end - len(overlap.decode("utf-8", "ignore"))
        start = min(_ends(text, earliest, end - 1), default=earliest)


def _ends(text: str, after: int, until: int) -> list[int]:
    """Return the ends of sentences after ``after`` and up to ``until``; if none, those of clauses, else of words."""
    for pattern in (_SENTENCE_END, _CLAUSE_END, _SPACE):
        places = [match.end() for match in pattern.finditer(text, after, until + 1)]
        if places := [place for place in places if after < place <= until]:
            return places
    return []


def _fit(text: str, most_bytes: int) -> int:
    """Return how many characters of a text fit into ``most_bytes`` bytes."""
    return len(text.encode("utf-8", "replace")[:most_bytes].decode("utf-8", "ignore"))
