"""What a byte-level tokenizer can write: all of Unicode, unless some bytes have no token of their own."""

import re
from collections.abc import Iterable

from transformers import PreTrainedTokenizerBase
from transformers.convert_slow_tokenizer import bytes_to_unicode

from pipeline.tagging.prompts import STAND_IN

_BYTES = str.maketrans({character: chr(byte) for byte, character in bytes_to_unicode().items()})
_SPELLED = re.compile(f"[{re.escape(''.join(bytes_to_unicode().values()))}]+")


class Alphabet:
    """The characters that tokens can spell, byte by byte.

    SmolLM2, for example, has no token for some control characters, nor for the first byte of planes that Unicode has
    not assigned. Such a character gets the stand-in that ``<`` gets.
    """

    def __init__(self, tokens: Iterable[bytes]):
        """Find the bytes that have a token of their own.

        Args:
            tokens: The bytes of each token.

        Raises:
            ValueError: Printable ASCII or the stand-in cannot be spelled, so that this is no byte-level BPE.
        """
        alone = {token for token in tokens if len(token) == 1}
        self._missing = frozenset(byte for byte in range(256) if bytes([byte]) not in alone)
        if self._missing & {*range(0x20, 0x7F), *STAND_IN.encode()}:
            raise ValueError("the tokenizer is not a byte-level BPE: some bytes have no token of their own")

    def write(self, text: str) -> str:
        """Replace the characters that cannot be spelled, each by the stand-in; the text has no ``<`` of its own."""
        if not self._missing or self._missing.isdisjoint(text.encode()):
            return text
        return "".join(character if self._missing.isdisjoint(character.encode()) else STAND_IN for character in text)


def token_bytes(tokenizer: PreTrainedTokenizerBase) -> dict[int, bytes]:
    """Return the bytes that each token of a byte-level BPE stands for, by ascending id, without special tokens."""
    added = set(tokenizer.added_tokens_decoder)
    return {
        id_: token.translate(_BYTES).encode("latin-1")
        for token, id_ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
        if id_ not in added and _SPELLED.fullmatch(token)
    }
