"""The tagger: transcripts in, entities of all groups out."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from pipeline.errors import UserError
from pipeline.settings import NO_ADAPTERS
from pipeline.settings import Tagger as TaggerSettings
from pipeline.tagging.adapters import load_adapters, load_base
from pipeline.tagging.constraint import Constraint, Vocabulary
from pipeline.tagging.decoding import decode
from pipeline.tagging.entities import Entity, Span
from pipeline.tagging.groups import load_groups
from pipeline.tagging.prompts import Prompt, encode, end_of_turn, guard, render

_SHORTEST_STRETCH = 64  # bytes of text that have to fit, or the base model is of no use

_SENTENCE_END = re.compile(r"(?:[.!?…]+[\"'”’)]*(?=\s)|[。！？]+[」』”’）]*)\s*")
_CLAUSE_END = re.compile(r"(?:[,;:](?=\s)|[,，、；：])\s*")
_SPACE = re.compile(r"\s+")


class Stretch(NamedTuple):
    """A piece of a transcript that fits the model's context.

    Attributes:
        row: Index of the transcript.
        offset: Index of the piece's first character in it.
        text: The piece.
    """

    row: int
    offset: int
    text: str


class Tagger:
    """One base model with the adapters of all groups, resident."""

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
        place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        base, self._tokenizer = load_base(base_model, settings, place)
        self._model, self._prompts = load_adapters(base, self._tokenizer, adapters, groups)
        self._adapted = adapters != NO_ADAPTERS
        self._settings = settings
        try:
            self._vocabulary = Vocabulary(self._tokenizer, end_of_turn(self._tokenizer))
        except ValueError as error:
            raise UserError(
                f"The base model {base_model} (--base-model) cannot tag: {error}. Take a Llama 3 or Qwen model."
            ) from error
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
        found: list[dict[tuple[int, int, str], Entity]] = [{} for _ in transcripts]
        for prompt in self._prompts:
            if self._adapted:
                self._model.set_adapter(prompt.group)
            stretches = [
                Stretch(row, start, text[start:end])
                for row, text in enumerate(transcripts)
                for start, end in cut(text, self._room[prompt.group])
                if text[start:end].strip()
            ]
            stretches.sort(key=lambda stretch: len(stretch.text))
            size = self._settings.batch_size
            for first in range(0, len(stretches), size):
                batch = stretches[first : first + size]
                for stretch, spans in zip(batch, self._decode(prompt, batch), strict=True):
                    for span in spans:
                        entity = _entity(prompt.group, transcripts[stretch.row], stretch.offset, span)
                        key = (entity.char_start, entity.char_end, entity.type)
                        known = found[stretch.row].get(key)
                        if known is None or (known.confidence or 0.0) < (entity.confidence or 0.0):
                            found[stretch.row][key] = entity
        return [[entities[key] for key in sorted(entities)] for entities in found]

    def _decode(self, prompt: Prompt, batch: Sequence[Stretch]) -> list[list[Span]]:
        """Return the spans of each stretch; a batch that is too large for the memory goes in halves."""
        texts = [guard(stretch.text) for stretch in batch]
        try:
            return decode(
                self._model,
                [encode(self._tokenizer, render(self._tokenizer, prompt, text)) for text in texts],
                [Constraint(self._vocabulary, text, list(prompt.types), self._settings.max_entities) for text in texts],
            )
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                raise
        torch.cuda.empty_cache()
        half = len(batch) // 2
        return [*self._decode(prompt, batch[:half]), *self._decode(prompt, batch[half:])]

    def _bytes_that_fit(self, prompt: Prompt) -> int:
        """Return how many bytes of text fit the context as question and answer, at worst with a token a byte."""
        context: int = self._model.config.max_position_embeddings
        empty = len(encode(self._tokenizer, render(self._tokenizer, prompt, "")))
        longest = max(len(f"<{type_}></{type_}>".encode()) for type_ in prompt.types)
        return (context - empty - longest * self._settings.max_entities - 1) // 2


def _entity(group: str, transcript: str, offset: int, span: Span) -> Entity:
    start, end = offset + span.char_start, offset + span.char_end
    return Entity(span.type, group, transcript[start:end], start, end, span.confidence, "adapter")


def cut(text: str, most_bytes: int) -> Iterator[tuple[int, int]]:
    """Cut a text into stretches of at most ``most_bytes`` bytes in UTF-8, as few as may be.

    A stretch ends after a sentence if it can, else after a clause, else after a word, else anywhere.

    Yields:
        Start and end of each stretch in characters, half open; together they are the whole text.
    """
    start = 0
    while start < len(text):
        rest = text[start : start + most_bytes]
        fits = len(rest.encode("utf-8", "replace")[:most_bytes].decode("utf-8", "ignore"))
        if start + fits < len(text):
            for pattern in (_SENTENCE_END, _CLAUSE_END, _SPACE):
                ends = [match.end() for match in pattern.finditer(rest) if match.end() <= fits]
                if ends:
                    fits = ends[-1]
                    break
        yield start, start + fits
        start += fits
