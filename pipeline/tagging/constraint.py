"""Constrained decoding: which tokens may come next if an answer must be a given text with inline tags.

A byte automaton defines the legal bytes, and a trie of the vocabulary's bytes converts them to legal tokens. So tokens
that join a tag and text need no special case, and without its tags every answer is exactly the text.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedTokenizerBase

from pipeline.tagging.alphabet import Alphabet, token_bytes

_CLOSED = -1
_LETTER = "[A-Za-zÀ-ÖØ-öø-ɏ\u1e00-\u1effＡ-Ｚａ-ｚ]"
_WORD = re.compile(rf"{_LETTER}(?:[\u0300-\u036f]*{_LETTER})+|\d\d+")  # a Latin word, or a number
_IDEOGRAPHS = "\u2e80"  # scripts from here on have no spaces between words


class Vocabulary:
    """The bytes of a tokenizer's tokens, as a trie.

    Attributes:
        alphabet: What the tokenizer can write.
        ids: Token id of each byte string; the lowest one if several tokens have the same bytes.
        prefixes: All proper prefixes of tokens: the inner nodes of the trie.
        end: Id of the token that ends a turn.
        most_tags: Maximum number of tags of which one token contains bytes.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, end_of_turn: str):
        """Read the vocabulary of a byte-level BPE tokenizer, such as that of Llama 3, Qwen or GPT-2.

        Args:
            tokenizer: The model's tokenizer.
            end_of_turn: The special token that ends an answer.

        Raises:
            ValueError: It is no byte-level BPE, or ``end_of_turn`` is not a single token.
        """
        self.bytes = token_bytes(tokenizer)
        self.alphabet = Alphabet(self.bytes.values())
        self.ids = {value: id_ for id_, value in reversed(self.bytes.items()) if value}
        self.prefixes = {value[:length] for value in self.ids for length in range(1, len(value))}
        if end_of_turn not in tokenizer.get_vocab():
            raise ValueError(f"the chat template ends an answer with {end_of_turn!r}, which is not one token")
        self.end: int = tokenizer.get_vocab()[end_of_turn]
        self.bytes[self.end] = b""
        self.most_tags = 1 + max(value.count(b"<") for value in self.ids)
        self._tags: dict[tuple[bytes, bytes, tuple[bytes, ...]], TagTokens] = {}
        self._splits: dict[str, set[int]] = {}
        self._backend = tokenizer.backend_tokenizer  # type: ignore[attr-defined]

    def tags(self, written: bytes, half: bytes, tags: tuple[bytes, ...]) -> "TagTokens":
        """Return the tokens that continue a half-written tag.

        Args:
            written: Bytes of the token so far, which end with ``half`` or with the last bytes of it.
            half: Bytes of the tag so far.
            tags: The tags that it can become.
        """
        key = (written, half, tags)
        if key not in self._tags:
            self._tags[key] = self._walk_tags(*key)
        return self._tags[key]

    def _walk_tags(self, written: bytes, half: bytes, tags: tuple[bytes, ...]) -> "TagTokens":
        unfinished: list[tuple[int, bytes]] = []
        complete: list[tuple[bytes, int]] = []
        if written in self.ids:
            unfinished.append((self.ids[written], half))
        walk = [(written, half)]
        while walk:
            written, half = walk.pop()
            for tag in {tag[: len(half) + 1] for tag in tags if tag.startswith(half)}:
                longer = written + tag[-1:]
                if longer not in self.ids and longer not in self.prefixes:
                    continue
                if tag.endswith(b">"):
                    complete.append((longer, tags.index(tag)))
                    continue
                if longer in self.ids:
                    unfinished.append((self.ids[longer], tag))
                if longer in self.prefixes:
                    walk.append((longer, tag))
        return TagTokens(tuple(unfinished), tuple(complete))

    def splits(self, word: str) -> set[int]:
        """Return the byte positions where the tokenizer splits a word: alone, after a space or after a tag."""
        if word not in self._splits:
            self._splits[word] = {
                place - len(before)
                for before in ("", " ", ">")
                for place in self.ends(before + word)
                if place > len(before)
            }
        return self._splits[word]

    def ends(self, text: str) -> set[int]:
        """Return the byte positions where tokens end if the tokenizer encodes a text.

        If the tokens spell another text (a tokenizer may compose characters or prepend a space), all positions are
        returned.
        """
        pieces = [self.bytes.get(token, b"") for token in self.encode(text)]
        if b"".join(pieces) != text.encode():
            return set(range(len(text.encode()) + 1))
        return set(accumulate(map(len, pieces)))

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text, as encoded by the tokenizer."""
        return list(self._backend.encode(text, add_special_tokens=False).ids)


class TagTokens(NamedTuple):
    """Tokens that continue a tag.

    Attributes:
        half: Tokens that end inside the tag, each with the bytes of the tag so far.
        whole: Bytes of tokens up to the end of the tag, each with the tag's index. The tokens may go on after them.
    """

    half: tuple[tuple[int, bytes], ...]
    whole: tuple[tuple[bytes, int], ...]


class State(NamedTuple):
    """A state of the automaton: a position in an answer.

    Attributes:
        position: Number of bytes of the text that have been copied.
        type: Index of the open entity's type, or -1 outside of entities.
        opened: Position where the open entity starts, or -1.
        tag: Bytes of a half-written tag.
        entities: Number of entities opened so far, without a half-written opening tag.
    """

    position: int = 0
    type: int = _CLOSED
    opened: int = -1
    tag: bytes = b""
    entities: int = 0


@dataclass(frozen=True, slots=True)
class Legal:
    """The legal tokens of a state.

    Attributes:
        ids: Token ids in ascending order, at least one.
        bias: Values to add to the logits of these tokens, float32.
        states: State after each token, None after the end. Entities are counted from the memoised state.
    """

    ids: np.ndarray
    bias: np.ndarray
    states: dict[int, State | None]


class Constraint:
    """The legal answers for one text: the text with at most ``max_entities`` flat, non-empty tagged entities.

    No entity starts or ends inside a Latin word or a number.
    """

    start = State()

    def __init__(
        self,
        vocabulary: Vocabulary,
        text: str,
        types: Sequence[str],
        max_entities: int,
        opening_bias: float = 0.0,
        longest: Mapping[str, int] = MappingProxyType({}),
    ):
        """Build the automaton of one text.

        Args:
            vocabulary: The model's vocabulary.
            text: The text to copy, as ``Alphabet.write`` returns it.
            types: Names of the types, as in the tags.
            max_entities: Maximum number of entities; the text after them is copied without tags.
            opening_bias: Value added to the logits of tokens that begin an opening tag; above 0 finds more entities.
            longest: Most characters of an entity by type. It may be longer where it would have to end inside a word.

        Raises:
            ValueError: The text contains ``<``.
        """
        if "<" in text:
            raise ValueError("a text under the constraint holds no <: put a stand-in there")
        self.vocabulary = vocabulary
        self.max_entities = max_entities if types else 0
        self.opening_bias = opening_bias
        self._characters = text
        self._text = text.encode()
        self._opening = tuple(f"<{type_}>".encode() for type_ in types)
        self._closing = tuple((f"</{type_}>".encode(),) for type_ in types)
        self._last = len(text.rstrip().encode())  # last position where an entity can end
        words = list(_words(text))
        within = {place for start, end, _ in words for place in range(start + 1, end)}
        opens, closes = _edges(text)
        self._opens, self._closes = opens - within, closes - within
        # There is no choice inside a word, so it is restricted to the tokenizer's own tokens. If a model began a word
        # with another token, it would have to spell out the rest.
        own = {start + place for start, _, word in words for place in vocabulary.splits(word)}
        self._sealed = within - own - vocabulary.ends(text)
        self._offsets = [0, *accumulate(len(character.encode()) for character in text)]
        self._ends = sorted(self._closes)
        self._longest = [longest.get(type_, len(text)) for type_ in types]
        self._last_open = max(self._opens & set(range(self._last)), default=-1)
        self._memo: dict[State, Legal] = {}

    def legal(self, state: State) -> Legal:
        """Return the legal tokens of a state. There is always at least one, and every path is finite."""
        state, _ = self._same(state)
        known = self._memo.get(state)
        if known is None:
            known = self._memo[state] = self._find(state)
        return known

    def after(self, state: State, token: int) -> State | None:
        """Return the state after a legal token, or None after the end.

        Raises:
            KeyError: The token is not legal.
        """
        same, entities = self._same(state)
        after = self.legal(same).states[token]
        return after._replace(entities=after.entities + entities) if after is not None and entities else after

    def settled(self, state: State | None) -> bool:
        """Return whether an answer can get no further entity, so that the rest of it is fixed."""
        if state is None:
            return True
        closed = state.type == _CLOSED and not state.tag
        return closed and (state.entities >= self.max_entities or state.position > self._last_open)

    def complete(self, state: State, types: Sequence[int] = ()) -> bytes:
        """Guess the rest of an answer: close an open entity, then copy the rest of the text.

        An open entity is guessed to end with its current word n or, if n > 3, after n - 3 more words. So a long entity
        takes few guesses.

        Args:
            state: State of the answer.
            types: Type indices in order of likelihood, to complete a half-written opening tag.
        """
        rest = b""
        position, type_ = state.position, state.type
        if state.tag and type_ == _CLOSED:
            candidates = [index for index, tag in enumerate(self._opening) if tag.startswith(state.tag)]
            type_ = next((index for index in types if index in candidates), candidates[0])
            rest = self._opening[type_][len(state.tag) :]
            state = State(position, type_, position)
        if type_ != _CLOSED:
            if not state.tag:
                end = min(self._guess_end(state.opened, position), self._latest_end(type_, state.opened))
                rest += self._text[position:end]
                position = end
            rest += self._closing[type_][0][len(state.tag) :]
        return rest + self._text[position:]

    def _same(self, state: State) -> tuple[State, int]:
        """Return an equivalent state and the number of entities that were subtracted from it.

        Far from the limit, the number of entities does not change the legal tokens, so memoised results can be reused.
        """
        if state.entities and state.entities + self.vocabulary.most_tags < self.max_entities:
            return state._replace(entities=0), state.entities
        return state, 0

    def _latest_end(self, type_: int, opened: int) -> int:
        """Return the last byte position where an entity may end that starts at ``opened``."""
        first = bisect_left(self._offsets, opened)
        latest = self._offsets[min(first + self._longest[type_], len(self._offsets) - 1)]
        place = max(bisect_right(self._ends, latest) - 1, bisect_right(self._ends, opened))
        return min(self._ends[place], self._last)

    def _find(self, state: State) -> Legal:
        """Find the legal tokens of a state."""
        # Where an entity has to end behind a word, the tokenizer's own tokens may all reach further.
        found = self._walk(state, self._sealed) or self._walk(state, frozenset())
        assert found is not None, "single bytes lead from every state to the next"
        return found

    def _walk(self, state: State, sealed: Set[int]) -> Legal | None:
        """Find the legal tokens of a state by walking the trie along the text and the tags.

        Args:
            state: The state.
            sealed: Positions where no token may end.
        """
        vocabulary, text = self.vocabulary, self._text
        ids, prefixes = vocabulary.ids, vocabulary.prefixes
        found: dict[int, State | None] = {}
        biased = self.opening_bias != 0.0
        opening: set[int] = set()  # filled only if there is a bias
        walk: list[tuple[bytes, State, bool]] = []  # bytes of a token, state after them, whether they open a tag

        def write_tag(written: bytes, state: State, opens: bool) -> None:
            position, type_, opened, half, entities = state
            tags = self._opening if type_ == _CLOSED else self._closing[type_]
            tokens = vocabulary.tags(written, half, tags)
            for token, tag in tokens.half:
                found[token] = State(position, type_, opened, tag, entities)
            for longer, index in tokens.whole:
                closed = State(position, entities=entities)
                after = closed if type_ != _CLOSED else State(position, index, position, b"", entities + 1)
                if longer in ids:
                    found[ids[longer]] = after
                if longer in prefixes:
                    walk.append((longer, after, opens))
            if opens:
                opening.update(token for token, _ in tokens.half)
                opening.update(ids[longer] for longer, _ in tokens.whole if longer in ids)

        if state.tag:
            write_tag(b"", state, False)
        else:
            walk.append((b"", state, False))
        while walk:
            written, (start, type_, opened, _, entities), opens = walk.pop()
            inside = type_ != _CLOSED
            may_open = not inside and entities < self.max_entities
            for position in range(start, (self._latest_end(type_, opened) if inside else len(text)) + 1):
                piece = written + text[start:position]
                if position > start:
                    if piece in ids and position not in sealed:
                        found[ids[piece]] = State(position, type_, opened, b"", entities)
                        if opens:
                            opening.add(ids[piece])
                    if piece not in prefixes:
                        break
                if position > opened and position in self._closes if inside else may_open and position in self._opens:
                    write_tag(
                        piece + b"<", State(position, type_, opened, b"<", entities), biased and (opens or may_open)
                    )
        if state.position == len(text) and state.type == _CLOSED and not state.tag:
            found[vocabulary.end] = None
        if not found:
            return None
        tokens = sorted(found)
        legal = np.array(tokens, np.int64)
        bias = self.opening_bias * np.isin(legal, list(opening)) if opening else np.zeros(len(tokens))
        return Legal(legal, bias.astype(np.float32), found)

    def _guess_end(self, opened: int, position: int) -> int:
        """Guess the byte position where an entity ends that starts at ``opened`` and reaches at least ``position``."""
        before, here = bisect_right(self._word_ends, opened), bisect_left(self._word_ends, max(position, opened + 1))
        place = here + max(here - before - 2, 0)
        return self._word_ends[place] if place < len(self._word_ends) else self._last

    @cached_property
    def _word_ends(self) -> list[int]:
        ends, position = [], 0
        for character, after in pairwise([*self._characters, " "]):
            position += len(character.encode())
            joined = character.isalnum() and after.isalnum() and character.isascii() == after.isascii()
            if position in self._closes and not (joined and character < _IDEOGRAPHS):
                ends.append(position)
        return ends


def _words(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start and end (in bytes) and the text of each Latin word and each number."""
    offsets = [0, *accumulate(len(character.encode()) for character in text)]
    for word in _WORD.finditer(text):
        yield offsets[word.start()], offsets[word.end()], word[0]


def _edges(text: str) -> tuple[set[int], set[int]]:
    """Return the byte positions where an entity may open and where it may close, apart from the rule about words.

    Combining marks stay with their character, and an entity neither starts nor ends with a space.
    """
    opens, closes = set(), set()
    position, before = 0, " "
    for character in [*text, " "]:
        if not unicodedata.category(character).startswith("M"):
            if not character.isspace():
                opens.add(position)
            if not before.isspace():
                closes.add(position)
        position += len(character.encode())
        before = character
    return opens, closes
