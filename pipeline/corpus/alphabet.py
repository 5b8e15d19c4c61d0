"""Training text in the characters that a recogniser's tokenizer can write, so that no ``⁇`` is ever taught."""

import re
import tarfile
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path

from anyascii import anyascii
from sentencepiece import SentencePieceProcessor

from pipeline.errors import UserError

_PUNCTUATION = ".,?!'-:%$&"
_DASHES = re.compile(r"\s*[\u2012-\u2015\u2212]+\s*")


def plain_english(character: str) -> bool:
    """Say whether a character is an ASCII letter, a digit or common punctuation."""
    return character.isascii() and (character.isalnum() or character in _PUNCTUATION)


def alphabet_of(nemo_file: Path) -> Callable[[str], bool]:
    """Read from a ``.nemo`` file which characters its SentencePiece tokenizer can write.

    Raises:
        UserError: The file holds no such tokenizer.
    """
    try:
        with tarfile.open(nemo_file) as archive:
            members = [member for member in archive if member.name.endswith("tokenizer.model")]
            file = archive.extractfile(members[0])
            assert file is not None
            tokenizer = SentencePieceProcessor(model_proto=file.read())
    except (OSError, tarfile.TarError, IndexError, RuntimeError) as error:
        raise UserError(f"--parakeet {nemo_file} holds no SentencePiece tokenizer: give a .nemo file.") from error
    return cache(lambda character: tokenizer.unk_id() not in tokenizer.encode(character))


def spell(text: str, writes: Callable[[str], bool]) -> str | None:
    """Write a text in an alphabet.

    What the alphabet lacks becomes its plain form (NFKC, ASCII) or lower case; a mark without one becomes a space,
    and so does a dash, which nobody says.

    Args:
        text: A transcript.
        writes: Says whether a character can be written.

    Returns:
        The text, its words with single spaces between; None where a letter or digit cannot be written.
    """
    pieces = []
    for character in _DASHES.sub(" ", text):
        plain = unicodedata.normalize("NFKC", character)
        ways = [character, character.lower(), plain, plain.lower(), anyascii(plain), anyascii(plain).lower()]
        fitting = [way for way in ways if way and all(c == " " or writes(c) for c in way)]
        if not character.isalnum():
            fitting = [way for way in fitting if not any(map(str.isalnum, way))] or [" "]
        if character.isspace():
            pieces.append(" ")
        elif fitting:
            pieces.append(fitting[0])
        else:
            return None
    return " ".join("".join(pieces).split())
