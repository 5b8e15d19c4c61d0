"""Which tokens may come next when an answer has to be a text with inline tags.

A byte automaton knows the text; a trie of the vocabulary's bytes turns its legal bytes into legal tokens. Tokens that
join a tag and text therefore need no care, and whatever a model prefers, the answer without its tags is the text.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedTokenizerBase
from transformers.convert_slow_tokenizer import bytes_to_unicode

_CLOSED = -1
_LETTER = "[A-Za-zÀ-ÖØ-öø-ɏ\u1e00-\u1effＡ-Ｚａ-ｚ]"
_WORD = re.compile(rf"{_LETTER}(?:[\u0300-\u036f]*{_LETTER})+|\d\d+")  # a Latin word, or a number
_IDEOGRAPHS = "\u2e80"  # from here on scripts put no space between words


class Vocabulary:
    """The bytes of a tokenizer's tokens, as a trie.

    Attributes:
        ids: Token id of each byte string; the lowest where several tokens are the same bytes.
        prefixes: Every proper beginning of a token: the inner nodes of the trie.
        end: Token id that ends a turn.
        most_tags: The most tags that one token writes a byte of.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, end_of_turn: str):
        """Read the vocabulary of a byte-level BPE tokenizer (Llama 3, Qwen, GPT-2 and their like).

        Args:
            tokenizer: The model's tokenizer.
            end_of_turn: The special token that ends an answer.

        Raises:
            ValueError: A byte has no token of its own, or the end of a turn is not one token.
        """
        alphabet = {character: byte for byte, character in bytes_to_unicode().items()}
        added = set(tokenizer.added_tokens_decoder)
        self.bytes: dict[int, bytes] = {
            id_: bytes(alphabet[character] for character in token)
            for token, id_ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1], reverse=True)
            if id_ not in added and all(character in alphabet for character in token)
        }
        self.ids = {value: id_ for id_, value in self.bytes.items() if value}
        self.prefixes = {value[:length] for value in self.ids for length in range(1, len(value))}
        if any(bytes([byte]) not in self.ids for byte in range(256)):
            raise ValueError("the tokenizer is not a byte-level BPE: some bytes have no token of their own")
        if end_of_turn not in tokenizer.get_vocab():
            raise ValueError(f"the chat template ends an answer with {end_of_turn!r}, which is not one token")
        self.end: int = tokenizer.get_vocab()[end_of_turn]
        self.bytes[self.end] = b""
        self.most_tags = 1 + max(value.count(b"<") for value in self.ids)
        self._tags: dict[tuple[bytes, bytes, tuple[bytes, ...]], TagTokens] = {}
        self._splits: dict[str, set[int]] = {}
        self._backend = tokenizer.backend_tokenizer  # type: ignore[attr-defined]

    def tags(self, written: bytes, half: bytes, tags: tuple[bytes, ...]) -> "TagTokens":
        """Return how a token that has begun can go on with a tag.

        Args:
            written: Bytes of the token so far, which end with ``half`` or the end of it.
            half: Bytes of the half-written tag.
            tags: The tags that it may become.
        """
        key = (written, half, tags)
        if key not in self._tags:
            self._tags[key] = self._walk_tags(*key)
        return self._tags[key]

    def _walk_tags(self, written: bytes, half: bytes, tags: tuple[bytes, ...]) -> "TagTokens":
        going_on: list[tuple[int, bytes]] = []
        complete: list[tuple[bytes, int]] = []
        if written in self.ids:
            going_on.append((self.ids[written], half))
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
                    going_on.append((self.ids[longer], tag))
                if longer in self.prefixes:
                    walk.append((longer, tag))
        return TagTokens(tuple(going_on), tuple(complete))

    def splits(self, word: str) -> set[int]:
        """Return where, in bytes, the tokenizer itself parts a word: by itself, behind a space or behind a tag."""
        if word not in self._splits:
            self._splits[word] = {
                place - len(before)
                for before in ("", " ", ">")
                for place in self.ends(before + word)
                if place > len(before)
            }
        return self._splits[word]

    def ends(self, text: str) -> set[int]:
        """Return where, in bytes, the tokens end in which the tokenizer itself writes a text.

        A tokenizer that writes another text, in composed characters or with a space in front, tells nothing: then these
        are all places.
        """
        pieces = [self.bytes.get(token, b"") for token in self.encode(text)]
        if b"".join(pieces) != text.encode():
            return set(range(len(text.encode()) + 1))
        return set(accumulate(map(len, pieces)))

    def encode(self, text: str) -> list[int]:
        """Return the tokens in which the tokenizer itself writes a text."""
        return list(self._backend.encode(text, add_special_tokens=False).ids)


class TagTokens(NamedTuple):
    """How tokens go on with a tag.

    Attributes:
        half: Tokens that end within the tag, each with the bytes of the tag that are then written.
        whole: The bytes of tokens up to the end of the tag, whether they end there or go on, each with its index.
    """

    half: tuple[tuple[int, bytes], ...]
    whole: tuple[tuple[bytes, int], ...]


class State(NamedTuple):
    """Where in an answer we are.

    Attributes:
        position: Bytes of the text that are copied.
        type: Index of the open entity's type, or -1 outside an entity.
        opened: Position where the open entity starts, or -1.
        tag: Bytes of a half-written tag.
        entities: Entities opened so far, a half-written opening tag not counted.
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
        ids: Token ids, ascending, at least one.
        bias: What is added to the logit of each.
        states: The state after each, counting entities from the state they are memoised for.
    """

    ids: np.ndarray
    bias: np.ndarray
    states: dict[int, State | None]


class Constraint:
    """The legal answers to one text: its copies with at most ``max_entities`` flat, non-empty tagged entities.

    None of them begins or ends within a Latin word or a number.
    """

    start = State()

    def __init__(
        self,
        vocabulary: Vocabulary,
        text: str,
        types: Sequence[str],
        max_entities: int,
        opening_bias: float = 0.0,
    ):
        """Build the automaton of one text.

        Args:
            vocabulary: The model's vocabulary.
            text: The text to copy, without a ``<``.
            types: Names of the types, as they stand in tags.
            max_entities: Entities after which the rest is copied without tags.
            opening_bias: Added to the logits of tokens that begin an opening tag; above 0 finds more entities.

        Raises:
            ValueError: The text holds a ``<``.
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
        self._last = len(text.rstrip().encode())  # an entity cannot go on after it
        words = list(_words(text))
        within = {place for start, end, _ in words for place in range(start + 1, end)}
        opens, closes = _edges(text)
        self._opens, self._closes = opens - within, closes - within
        # As there is nothing to decide within a word, it is written in the tokenizer's own tokens too: a model that
        # once began it in another way would have to spell out the rest.
        own = {start + place for start, _, word in words for place in vocabulary.splits(word)}
        self._sealed = within - own - vocabulary.ends(text)
        self._last_open = max(self._opens & set(range(self._last)), default=-1)
        self._memo: dict[State, Legal] = {}

    def legal(self, state: State) -> Legal:
        """Return the legal tokens of a state; there is always one, and every path is finite."""
        state, _ = self._same(state)
        known = self._memo.get(state)
        if known is None:
            known = self._memo[state] = self._find(state)
        return known

    def after(self, state: State, token: int) -> State | None:
        """Return the state after a legal token, None after the end.

        Raises:
            KeyError: The token is not legal.
        """
        same, entities = self._same(state)
        after = self.legal(same).states[token]
        return after._replace(entities=after.entities + entities) if after is not None and entities else after

    def settled(self, state: State | None) -> bool:
        """Say whether an answer can hold no entity beyond those it has: the rest of it decides nothing."""
        if state is None:
            return True
        closed = state.type == _CLOSED and not state.tag
        return closed and (state.entities >= self.max_entities or state.position > self._last_open)

    def complete(self, state: State, types: Sequence[int] = ()) -> bytes:
        """Guess the rest of an answer: close what is open, then copy everything that is left.

        An entity is guessed to close where its next word ends, or at once where one has just ended; after more than
        three words, only after as many again, less three. So an entity of many words takes few guesses.

        Args:
            state: Where the answer is.
            types: Indices of types, the likeliest first, for a half-written opening tag.
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
                end = self._guess_end(state.opened, position)
                rest += self._text[position:end]
                position = end
            rest += self._closing[type_][0][len(state.tag) :]
        return rest + self._text[position:]

    def _same(self, state: State) -> tuple[State, int]:
        """Return a state with the same legal tokens and how many more entities the given one has opened.

        Far from the limit the number of entities does not matter, so that what was found before an entity serves
        again after it.
        """
        if state.entities and state.entities + self.vocabulary.most_tags < self.max_entities:
            return state._replace(entities=0), state.entities
        return state, 0

    def _find(self, state: State) -> Legal:
        """Walk the vocabulary's trie along the text and the tags."""
        vocabulary, text = self.vocabulary, self._text
        ids, prefixes = vocabulary.ids, vocabulary.prefixes
        found: dict[int, State | None] = {}
        biased = self.opening_bias != 0.0
        opening: set[int] = set()  # looked for only where there is a bias
        walk: list[tuple[bytes, State, bool]] = []  # bytes of a token, where they lead, whether they open a tag

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
            for position in range(start, (self._last if inside else len(text)) + 1):
                piece = written + text[start:position]
                if position > start:
                    if piece in ids and position not in self._sealed:
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
        tokens = sorted(found)
        legal = np.array(tokens, np.int64)
        bias = self.opening_bias * np.isin(legal, list(opening)) if opening else np.zeros(len(tokens))
        return Legal(legal, bias.astype(np.float32), found)

    def _guess_end(self, opened: int, position: int) -> int:
        """Return the byte position where an entity may end that was opened at one and goes up to the other."""
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
    """Yield where each Latin word and each number starts and ends, in bytes, and itself."""
    offsets = [0, *accumulate(len(character.encode()) for character in text)]
    for word in _WORD.finditer(text):
        yield offsets[word.start()], offsets[word.end()], word[0]


def _edges(text: str) -> tuple[set[int], set[int]]:
    """Return the byte positions where an entity may open and where one may close.

    Both are edges of characters with their combining marks; an entity has no space at its edges. Words are not minded.
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
