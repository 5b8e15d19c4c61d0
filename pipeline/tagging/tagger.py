"""The tagger: transcripts in, entities of all groups out."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import torch

from pipeline.errors import UserError
from pipeline.settings import NO_ADAPTERS
from pipeline.settings import Tagger as TaggerSettings
from pipeline.tagging.adapters import load_adapters, load_base
from pipeline.tagging.constraint import Constraint, Vocabulary
from pipeline.tagging.decoding import Decoder, Prefix, Request
from pipeline.tagging.entities import Entity, Span
from pipeline.tagging.groups import load_groups
from pipeline.tagging.prompts import Prompt, encode, end_of_turn, guard, render

_SHORTEST_STRETCH = 64  # bytes of text that have to fit, or the base model is of no use
_LONGEST_CONTEXT = 16384  # tokens; what a model may read beyond that is not worth its memory
_OVERLAP = 256  # bytes that neighbouring stretches share at most

_SENTENCE_END = re.compile(r"(?:[.!?…]+[\"'”’)]*(?=\s)|[。！？]+[」』”’）]*)\s*")
_CLAUSE_END = re.compile(r"(?:[,;:](?=\s)|[,，、；：])\s*")
_SPACE = re.compile(r"\s+")


class Stretch(NamedTuple):
    """A piece of a transcript that fits the model's context; neighbours overlap.

    Attributes:
        row: Index of the transcript.
        prompt: Index of the group's prompt.
        start: Index of the piece's first character.
        end: Index after its last.
        counts: Twice the range, in characters of the transcript and half open, in which a span's middle lies if it
            counts: it is then farther from a cut here than in the neighbour that saw it too.
    """

    row: int
    prompt: int
    start: int
    end: int
    counts: tuple[int, int]


class Tagger:
    """One base model with the adapters of all groups, resident.

    Attributes:
        left_out: Groups that are not tagged, as they have no adapter.
    """

    def __init__(
        self,
        base_model: str,
        adapters: str,
        settings: TaggerSettings,
        device: torch.device | str | None = None,
    ):
        """Load the models.

        Args:
            base_model: Transformers folder or hub name of the causal language model.
            adapters: Folder with one adapter folder for each group; ``none`` tags with the base model alone.
            settings: The knobs.
            device: Where the models run; None takes the GPU where there is one.

        Raises:
            UserError: A model or an adapter is missing or does not fit, or the file of groups is malformed.
        """
        groups = load_groups(settings.groups)
        unknown = set(settings.opening_bias) - {group.name for group in groups}
        if unknown:
            raise UserError(
                f"--tagger.opening-bias names {min(unknown)}, which is no group: take "
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
                f"The base model {base_model} (--base-model) cannot tag: {error}. Take a Llama 3 or Qwen model."
            ) from error
        self._prefixes = [
            Prefix(self._common_prefix(prompt), None if adapters == NO_ADAPTERS else prompt.group)
            for prompt in self._prompts
        ]
        self._decoder = Decoder(self._model, self._vocabulary, settings.batch_size)
        self._room = {prompt.group: self._bytes_that_fit(prompt) for prompt in self._prompts}
        short = [group for group, room in self._room.items() if room < _SHORTEST_STRETCH]
        if short:
            raise UserError(
                f"The few-shot turns of group {short[0]} and {settings.max_entities} entities do not fit the context "
                f"of {base_model}: lower --tagger.max-entities, or train with fewer few-shot turns."
            )

    def tag(self, transcripts: Sequence[str]) -> list[list[Entity]]:
        """Tag transcripts with every group.

        Entities of different groups may overlap; of equal ones (type and span) the surest is returned.

        Args:
            transcripts: Texts, some perhaps empty.

        Returns:
            The entities of each transcript, sorted by where they start.

        Raises:
            Exception: What the model raises even for a stretch alone (out of memory); the caller then gives the
                transcripts one by one, so that only the one at fault has none.
        """
        stretches = [
            stretch
            for row, text in enumerate(transcripts)
            for index, prompt in enumerate(self._prompts)
            for stretch in _stretches(row, index, text, self._room[prompt.group])
        ]
        found: list[dict[tuple[int, int, str], Entity]] = [{} for _ in transcripts]
        spans = self._decode([self._request(stretch, transcripts[stretch.row]) for stretch in stretches])
        for (row, index), own in _joined(stretches, spans).items():
            for span in own:
                key = (span.char_start, span.char_end, span.type)
                known = found[row].get(key)
                if known is None or (known.confidence or 0.0) < (span.confidence or 0.0):
                    found[row][key] = _entity(self._prompts[index].group, transcripts[row], span)
        return [[entities[key] for key in sorted(entities)] for entities in found]

    def _request(self, stretch: Stretch, transcript: str) -> Request:
        prompt = self._prompts[stretch.prompt]
        text = guard(transcript[stretch.start : stretch.end])
        return Request(
            encode(self._tokenizer, render(self._tokenizer, prompt, text)),
            Constraint(
                self._vocabulary,
                text,
                list(prompt.types),
                self._settings.max_entities,
                self._settings.opening_bias.get(prompt.group, 0.0),
            ),
            self._prefixes[stretch.prompt],
        )

    def _decode(self, requests: Sequence[Request]) -> list[list[Span]]:
        """Return the spans of each stretch; where the memory is too small, with half the rows, and again."""
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
        """Return the tokens with which a group's prompts begin, whatever the transcript."""
        one, other = (encode(self._tokenizer, render(self._tokenizer, prompt, text)) for text in ("a", "b"))
        return one[: next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)]

    def _bytes_that_fit(self, prompt: Prompt) -> int:
        """Return how many bytes of text fit the context as question and answer, at worst with a token a byte."""
        context = min(self._model.config.max_position_embeddings, _LONGEST_CONTEXT)
        empty = len(encode(self._tokenizer, render(self._tokenizer, prompt, "")))
        longest = max(len(f"<{type_}></{type_}>".encode()) for type_ in prompt.types)
        return (context - empty - longest * self._settings.max_entities - 1) // 2


def _stretches(row: int, prompt: int, text: str, room: int) -> list[Stretch]:
    """Cut a transcript for one group and say which spans count where; what holds no text is left out."""
    if not text.strip():
        return []
    pieces = list(cut(text, room))
    borders = [0, *(after[0] + before[1] for before, after in pairwise(pieces)), 2 * len(text) + 1]
    return [
        Stretch(row, prompt, start, end, counts)
        for (start, end), counts in zip(pieces, pairwise(borders), strict=True)
        if text[start:end].strip()
    ]


def _joined(stretches: Sequence[Stretch], spans: Sequence[Sequence[Span]]) -> dict[tuple[int, int], list[Span]]:
    """Return the spans that count for each transcript and prompt, in characters of the transcript.

    Where spans that two stretches found in the same place overlap, the surest stays.
    """
    joined: dict[tuple[int, int], list[Span]] = {}
    for stretch, found in zip(stretches, spans, strict=True):
        for span in found:
            start, end = stretch.start + span.char_start, stretch.start + span.char_end
            if stretch.counts[0] <= start + end < stretch.counts[1]:
                moved = replace(span, char_start=start, char_end=end)
                joined.setdefault((stretch.row, stretch.prompt), []).append(moved)
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
    """Cut a text into overlapping stretches of at most ``most_bytes`` bytes in UTF-8.

    A stretch ends after a sentence, if one ends in its second half, else after a clause, else after a word, else
    anywhere; it begins after the first sentence (clause, word) that ends in the last quarter of the one before, but
    at most 256 bytes before its end. So an entity that a cut goes through stands whole in the other stretch.

    Yields:
        Start and end of each stretch in characters, half open; together they are the whole text.
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
    """Return where sentences end after one place and up to another; where none does, clauses; else words."""
    for pattern in (_SENTENCE_END, _CLAUSE_END, _SPACE):
        places = [match.end() for match in pattern.finditer(text, after, until + 1)]
        if places := [place for place in places if after < place <= until]:
            return places
    return []


def _fit(text: str, most_bytes: int) -> int:
    """Return how many characters of a text fit into so many bytes."""
    return len(text.encode("utf-8", "replace")[:most_bytes].decode("utf-8", "ignore"))
