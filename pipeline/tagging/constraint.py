"""Which tokens may come next when an answer has to be a text with inline tags.

A byte automaton knows the text; a trie of the vocabulary's bytes turns its legal bytes into legal tokens. Tokens that
join a tag and text therefore need no care, and whatever a model prefers, the answer without its tags is the text.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase
from transformers.convert_slow_tokenizer import bytes_to_unicode

_CLOSED = -1


class Vocabulary:
    """The bytes of a tokenizer's tokens, as a trie.

    Attributes:
        ids: Token id of each byte string; the lowest where several tokens are the same bytes.
        prefixes: Every proper beginning of a token: the inner nodes of the trie.
        end: Token id that ends a turn.
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
        self.ids = {value: id_ for id_, value in self.bytes.items()}
        self.prefixes = {value[:length] for value in self.ids for length in range(1, len(value))}
        if any(bytes([byte]) not in self.ids for byte in range(256)):
            raise ValueError("the tokenizer is not a byte-level BPE: some bytes have no token of their own")
        if end_of_turn not in tokenizer.get_vocab():
            raise ValueError(f"the chat template ends an answer with {end_of_turn!r}, which is not one token")
        self.end: int = tokenizer.get_vocab()[end_of_turn]
        self.bytes[self.end] = b""


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


class Constraint:
    """The legal answers to one text: its copies with at most ``max_entities`` flat, non-empty tagged entities."""

    start = State()

    def __init__(self, vocabulary: Vocabulary, text: str, types: Sequence[str], max_entities: int):
        """Build the automaton of one text.

        Args:
            vocabulary: The model's vocabulary.
            text: The text to copy, without a ``<``.
            types: Names of the types, as they stand in tags.
            max_entities: Entities after which the rest is copied without tags.

        Raises:
            ValueError: The text holds a ``<``.
        """
        if "<" in text:
            raise ValueError("a text under the constraint holds no <: put a stand-in there")
        self.vocabulary = vocabulary
        self.max_entities = max_entities if types else 0
        self._text = text.encode()
        self._opening = [f"<{type_}>".encode() for type_ in types]
        self._closing = [f"</{type_}>".encode() for type_ in types]
        self._last = len(text.rstrip().encode())  # an entity cannot go on after it
        self._opens, self._closes = _edges(text)
        self._memo: dict[State, dict[int, State | None]] = {}

    def legal(self, state: State) -> dict[int, State | None]:
        """Return the legal tokens in ascending order, each with the state after it (None after the end).

        There is always at least one, and every path is finite.
        """
        if state not in self._memo:
            ids, prefixes = self.vocabulary.ids, self.vocabulary.prefixes
            found: dict[int, State | None] = {}
            walk = [(b"", state)]
            while walk:
                prefix, reached = walk.pop()
                for byte, after in self._next(reached):
                    longer = prefix + byte
                    if longer in ids:
                        found[ids[longer]] = after
                    if longer in prefixes:
                        walk.append((longer, after))
            if state.position == len(self._text) and state.type == _CLOSED and not state.tag:
                found[self.vocabulary.end] = None
            self._memo[state] = dict(sorted(found.items()))
        return self._memo[state]

    def _next(self, state: State) -> Iterator[tuple[bytes, State]]:
        """Yield each legal next byte with the state after it."""
        if state.tag:
            for byte in {tag[len(state.tag) : len(state.tag) + 1] for tag in self._tags(state)}:
                yield byte, self._write(state, state.tag + byte)
            return
        inside = state.type != _CLOSED
        if state.position < (self._last if inside else len(self._text)):
            byte = self._text[state.position : state.position + 1]
            yield byte, state._replace(position=state.position + 1)
        if inside:
            tag_may_start = state.position > state.opened and state.position in self._closes
        else:
            tag_may_start = state.entities < self.max_entities and state.position in self._opens
        if tag_may_start:
            yield b"<", state._replace(tag=b"<")

    def _tags(self, state: State) -> list[bytes]:
        """Return the tags that a half-written one may become."""
        tags = self._opening if state.type == _CLOSED else [self._closing[state.type]]
        return [tag for tag in tags if tag.startswith(state.tag)]

    def _write(self, state: State, tag: bytes) -> State:
        """Return the state after a tag has grown by a byte."""
        if not tag.endswith(b">"):
            return state._replace(tag=tag)
        if state.type == _CLOSED:
            opened = self._opening.index(tag)
            return State(state.position, opened, state.position, b"", state.entities + 1)
        return State(state.position, entities=state.entities)


def _edges(text: str) -> tuple[set[int], set[int]]:
    """Return the byte positions where an entity may open and where one may close.

    Both are edges of characters with their combining marks; an entity has no space at its edges.
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
