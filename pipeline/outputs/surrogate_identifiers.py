"""Surrogates of numbers and codes: other digits and letters in their places, with valid check digits."""

import random
import re
import string
from collections.abc import Callable, Sequence
from functools import cache, partial

import phonenumbers

from pipeline.outputs.surrogate_numerals import Token, like, write
from pipeline.outputs.surrogate_words import DATA, NoSurrogateError, read
from pipeline.tagging.checks import check_by_name

_TIMES = {"double": 2, "triple": 3, "treble": 3}
_PHONES = ("PHONE", "FAX")
_REGIONS = ("TW", "AU", "GB", "US")
_ATTEMPTS = 20_000
_PHONETIC = {str(word)[0].upper(): str(word) for word in DATA["phonetic"]}
_NETWORK_CARD = re.compile(r"[0-9A-F]{2}(?:[:-][0-9A-F]{2}){5}", re.IGNORECASE)

Check = Callable[[str], bool]


def other_identifier(type_: str, text: str, chance: random.Random, known: dict[str, str]) -> str:
    """Return an identifier with other digits and letters.

    Args:
        type_: Type of the entity.
        text: The identifier, written or spoken; the words around it stay.
        chance: Where the digits and letters come from.
        known: The surrogates so far, by their numbers without spaces, words and signs; the new one is added. What is
            written in one place and spoken in another, or a phone number with and without its country or extension,
            has one surrogate, if the form allows it.

    Raises:
        NoSurrogateError: A word is neither part of an identifier nor known, or no valid number was found.
    """
    tokens = read(text)
    pieces = [_characters(tokens, at) for at in range(len(tokens))]
    if not any(pieces):
        raise NoSurrogateError
    end = len(tokens)
    if type_ in _PHONES:
        end = _end(tokens, pieces)
        pieces[end : end + 1] = [""] * len(pieces[end : end + 1])
        _check_phone(tokens, pieces, end)
    sign = "+" if type_ in _PHONES and re.match(r"\s*(?:\+|＋|plus\b|加號)", text, re.IGNORECASE) else ""
    number = sign + "".join(_repeated(tokens, at, pieces[at]) for at in range(end))
    checks, kept = _phone_checks(number) if type_ in _PHONES else _checks(number)
    head, identity = _identity(number) if type_ in _PHONES else ("", number)
    letters = "ABCDEF" if _NETWORK_CARD.fullmatch(text) else string.ascii_uppercase
    for _ in range(_ATTEMPTS):
        made, left = list[str](), kept - len(sign)
        for piece in pieces:
            made.append(piece[: max(left, 0)] + _random(piece[max(left, 0) :], left > 0, letters, chance))
            left -= len(piece)
        if identity in known:
            made[:end] = _cut((head + known.pop(identity))[len(sign) :], tokens[:end], pieces) or made[:end]
        compact = sign + "".join(_repeated(tokens, at, made[at]) for at in range(end))
        is_other = type_ != "ROOM" or not any(old and old == new for old, new in zip(pieces, made, strict=True))
        if is_other and all(check(compact) for check in checks):
            known[identity] = compact[len(head) :]
            return "".join(_written(*each) for each in zip(tokens, pieces, made, strict=True))
    raise NoSurrogateError


def _cut(number: str, tokens: Sequence[Token], pieces: Sequence[str]) -> list[str] | None:
    """Cut the characters of a number into pieces as long as others; None if it cannot be said in their form."""
    made: list[str] = []
    for at, token in enumerate(tokens):
        length = len(_repeated(tokens, at, pieces[at]))
        piece, number = number[:length], number[length:]
        if len(pieces[at]) < length and len(set(piece)) > 1:  # "double five"
            return None
        piece = piece[: len(pieces[at])]
        if token.is_number and len(piece) > 1 and piece[0] == "0" and token.kind not in ("digits", "zh_digits"):
            return None
        made.append(piece)
    return made


def _characters(tokens: Sequence[Token], at: int) -> str:
    """Return the digits and capital letters that a piece stands for; empty for a word around the identifier."""
    token, word = tokens[at], tokens[at].text.casefold()
    if token.is_number:
        zeros = len(token.text) if token.kind in ("digits", "zh_digits") else 1
        return str(token.value).zfill(zeros)
    if token.kind == "other":
        if any(character.isalnum() for character in word):
            raise NoSurrogateError
        return ""
    beside = [other.kind == "digits" for other in (*tokens[max(at - 1, 0) : at], *tokens[at + 1 : at + 2])]
    if token.kind == "word" and token.text.isascii() and token.text.isalpha():
        if word in DATA["phonetic"]:
            return word[0].upper()
        is_code = any(beside) or (token.text.isupper() and len(word) <= 4) or len(word) == 1
        if is_code and not (word in DATA["spoken"] and (len(word) > 1 or not any(beside))):
            return token.text.upper()
    if word in DATA["spoken"] or all(character in DATA["spoken_zh"] for character in word):
        return ""
    raise NoSurrogateError


def _repeated(tokens: Sequence[Token], at: int, characters: str) -> str:
    """Return the characters of a piece as often as they are said: "double five" is 55."""
    before = tokens[at - 2].text.casefold() if at > 1 else ""
    return characters * _TIMES.get(before, 1) if len(characters) == 1 else characters


def _random(characters: str, is_inside: bool, letters: str, chance: random.Random) -> str:
    made = ""
    for at, character in enumerate(characters):
        if character.isalpha():
            made += chance.choice(letters)
        else:  # what begins with no zero does not begin with one afterwards
            made += chance.choice("123456789" if at == 0 and character != "0" and not is_inside else "0123456789")
    return made


def _written(token: Token, old: str, made: str) -> str:
    if not old:
        return token.text
    if token.is_number and token.kind in ("digits", "zh_digits"):
        zeros = write(Token(token.text, token.kind, 0), int("1" + made))
        return zeros[1:]
    if token.is_number:
        return write(token, int(made))
    if len(token.text) > len(old):
        return like(token.text, _PHONETIC[made])
    return made.lower() if token.text.islower() else made


def _end(tokens: Sequence[Token], pieces: Sequence[str]) -> int:
    """Return the place of the word or sign before the extension of a phone number, or of the end."""
    is_extension = (t.text.strip().casefold() in DATA["extension"] for t in tokens)
    return next((at for at, found in enumerate(is_extension) if found and any(pieces[:at])), len(tokens))


def _check_phone(tokens: Sequence[Token], pieces: Sequence[str], end: int) -> None:
    """Raise ``NoSurrogateError`` for a phone number in letters (1-800-MEDICARE) or hundreds (one eight hundred)."""
    last = max(at for at, piece in enumerate(pieces) if piece)
    for at, token in enumerate(tokens):
        is_word = token.kind == "word" and len(token.text) > 1 and at != end
        if is_word and (at > last or (at > 0 and tokens[at - 1].text == "-")):
            raise NoSurrogateError
        if pieces[at] and (pieces[at].isalpha() or (token.kind == "words" and token.value >= 100)):
            raise NoSurrogateError


def _identity(number: str) -> tuple[str, str]:
    """Return what stands before the national part of a phone number, and that part, the same with any country code."""
    for region in _REGIONS:
        if _check(f"phone {region}")(number):
            national = phonenumbers.national_significant_number(phonenumbers.parse(number, region))
            if number.endswith(national):
                return number.removesuffix(national), national
    return "", number


def _checks(number: str) -> tuple[list[Check], int]:
    """Return the checks that a number passes, and how many characters at its beginning stay."""
    passed = [each for each in DATA["checks"] if _passes(each["pattern"], each["check"], number)]
    return [partial(_passes, each["pattern"], each["check"]) for each in passed], max(
        (each["kept"] for each in passed), default=0
    )


def _passes(pattern: str, name: str, number: str) -> bool:
    if not re.fullmatch(pattern, number):
        return False
    if name == "npi":  # an American provider's number, a Luhn number with the prefix 80840
        return _check("stdnum luhn")("80840" + number)
    return _check(name)(number)


def _phone_checks(number: str) -> tuple[list[Check], int]:
    """Return the check of the first region in which a phone number is valid, and how many characters of it stay."""
    for region in _REGIONS:
        check = _check(f"phone {region}")
        if check(number):
            country = phonenumbers.parse(number, region).country_code or 0
            code = re.match(rf"(?:\+|00\d{{0,2}}?){country}", number)
            return [check], (code.end() + 1 if code else 2)
    return [], 0


_check = cache(check_by_name)
