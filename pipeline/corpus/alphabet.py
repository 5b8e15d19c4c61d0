"""Write training text in the characters of an ASR model's tokenizer, so that it has no unknown tokens (``⁇``)."""

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
    """Return whether a character is an ASCII letter, a digit or common punctuation."""
    return character.isascii() and (character.isalnum() or character in _PUNCTUATION)


def alphabet_of(nemo_file: Path) -> Callable[[str], bool]:
    """Read the SentencePiece tokenizer of a ``.nemo`` file.

    Returns:
        A function that returns whether the tokenizer can write a character.

    Raises:
        UserError: The file contains no such tokenizer.
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

    A character that the alphabet lacks is replaced by its plain form (NFKC; ASCII for Latin letters and punctuation) or
    by lower case. Dashes, and punctuation without such a form, become spaces, as they are not spoken.

    Args:
        text: A transcript.
        writes: Returns whether a character can be written.

    Returns:
        The text with single spaces between words, or None if it has a spoken character that cannot be written: a
        letter, a digit or a sign such as ½, ° or €.
    """
    pieces = []
    for character in _DASHES.sub(" ", text):
        ways = [way for way in _ways(character) if all(c == " " or writes(c) for c in way)]
        if ways:
            pieces.append(ways[0])
        elif _is_said(character):
            return None
        else:
            pieces.append(" ")
    return " ".join("".join(pieces).split())


def _ways(character: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", character)
    ways = [character, plain]
    if unicodedata.category(character)[0] == "P" or unicodedata.name(plain[:1], "").startswith("LATIN"):
        ways.append(anyascii(plain))
    if not character.isalnum():
        ways = [way for way in ways if not any(map(str.isalnum, way))]
    return [form for way in ways if way for form in (way, way.lower())]


def _is_said(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character) in ("Sc", "Sm") or character == "°"
