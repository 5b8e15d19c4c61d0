"""Decisions known beforehand: what a perfectly trained model would do, whatever model is asked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.tagging.constraint import Constraint, Legal, State, Vocabulary
from pipeline.tagging.entities import Span
from pipeline.tagging.prompts import completion, guard

_SURE = np.float32(1e6)


class Oracle(Constraint):
    """A constraint that makes every model write given spans, in the tokenizer's own tokens."""

    def __init__(
        self, vocabulary: Vocabulary, text: str, types: Sequence[str], max_entities: int, spans: Sequence[Span]
    ):
        super().__init__(vocabulary, guard(text), types, max_entities)
        self.wanted = [*vocabulary.encode(completion(text, spans)), vocabulary.end]
        self._decisions: dict[State, int] = {}
        self._decided: dict[State, Legal] = {}
        state: State | None = self.start
        for token in self.wanted:
            assert state is not None
            self._decisions[state] = token
            state = self.after(state, token)

    def legal(self, state: State) -> Legal:
        legal = super().legal(state)
        if state not in self._decisions:
            return legal
        if state not in self._decided:
            bias = np.where(legal.ids == self._decisions[state], _SURE, np.float32(0))
            self._decided[state] = Legal(legal.ids, bias, legal.states)
        return self._decided[state]


@dataclass(frozen=True)
class Recording:
    """A transcript with its labels.

    Attributes:
        text: The transcript.
        spans: The labels that stand in it word for word, in order; they may overlap.
    """

    text: str
    spans: tuple[Span, ...]

    def of(self, types: Sequence[str]) -> list[Span]:
        """Return the spans of some types without those that overlap an earlier one."""
        own: list[Span] = []
        for span in self.spans:
            if span.type in types and (not own or own[-1].char_end <= span.char_start):
                own.append(span)
        return own


def read_corpus(folder: Path) -> list[Recording]:
    """Read a part of the corpus; each label is searched from the end of the one before, then from the start."""
    texts = dict(_lines(folder / "task1_answer.txt", 2))
    labels: dict[str, list[tuple[str, str]]] = {}
    for recording, type_, _, _, entity in _lines(folder / "task2_answer.txt", 5):
        labels.setdefault(recording, []).append((type_, entity.strip()))
    recordings = []
    for recording, text in texts.items():
        spans: set[Span] = set()
        end = 0
        for type_, entity in labels.get(recording, []):
            # A word edge, which Chinese has everywhere.
            pattern = re.compile(rf"(?<![A-Za-z0-9]){re.escape(entity)}(?![A-Za-z0-9])")
            match = entity and (pattern.search(text, end) or pattern.search(text))
            if match:
                spans.add(Span(type_, match.start(), match.end()))
                end = match.end()
        recordings.append(Recording(text, tuple(sorted(spans, key=lambda span: span.char_start))))
    return recordings


def _lines(file: Path, columns: int) -> list[list[str]]:
    lines = file.read_text(encoding="utf-8").split("\n")
    rows = [line.split("\t")[:columns] for line in lines if line]
    return [row for row in rows if len(row) == columns]
