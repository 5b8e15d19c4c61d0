"""Checks of a number beyond its form: check digits and numbering plans."""

import importlib
import ipaddress
import re
from collections.abc import Callable, Sequence
from functools import partial

import phonenumbers
from stdnum import luhn

Check = Callable[[str], bool]

_COUNTING = "01234567890123456789"
_LETTERS = {letter: 10 + place for place, letter in enumerate("ABCDEFGHJKLMNPQRSTUVXYWZIO")}


def check_by_name(name: str) -> Check:
    """Return the check that a pattern names.

    Args:
        name: ``phone`` with regions as ISO codes (``phone TW AU``), ``stdnum`` with a module of python-stdnum
            (``stdnum us.ssn``), ``ip``, ``taiwan-id``, ``medicare-card`` or ``npi``.

    Returns:
        A function that returns whether a text is a valid number.

    Raises:
        ValueError: No check has this name.
    """
    kind, *arguments = name.split()
    if kind == "phone" and arguments and set(arguments) <= phonenumbers.SUPPORTED_REGIONS:
        return partial(_is_phone_number, arguments)
    if kind == "stdnum" and len(arguments) == 1 and re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)*", arguments[0]):
        try:
            is_valid = importlib.import_module(f"stdnum.{arguments[0]}").is_valid
        except (ImportError, AttributeError) as error:
            raise ValueError(f"python-stdnum has no numbers called {arguments[0]}") from error
        return partial(_passes, is_valid)
    alone: dict[str, Check] = {
        "ip": _is_ip_address,
        "taiwan-id": _is_taiwanese_id,
        "medicare-card": _is_medicare_card,
        "npi": _is_american_provider,
    }
    if name in alone:
        return alone[name]
    raise ValueError(f"the checks are phone with regions such as TW AU, stdnum with a module, {', '.join(alone)}")


def _is_phone_number(regions: Sequence[str], text: str) -> bool:
    number = re.match(r"[+0-9 ().-]*", text)
    digits = re.sub(r"[^0-9]", "", number[0]) if number else ""
    if digits in _COUNTING or digits in _COUNTING[::-1]:
        return False  # counting, such as "one two three"
    for region in regions:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(number[0] if number else "", region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


def _passes(is_valid: Check, text: str) -> bool:
    return is_valid(re.sub("[ -]", "", text))


def _is_ip_address(text: str) -> bool:
    """Check an address of version 4 or 6, also with a port (1.2.3.4:80, [::1]:80) or a prefix length (10.0.0.0/8)."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return True


def _is_taiwanese_id(text: str) -> bool:
    """Check a national identity number (A123456789) or a resident certificate number (AB12345678, A812345678)."""
    text = re.sub(r"[ -]", "", text).upper()
    if not re.fullmatch(r"[A-Z][A-D1289][0-9]{8}", text):
        return False
    first = _LETTERS[text[0]]
    second = _LETTERS[text[1]] % 10 if text[1].isalpha() else int(text[1])
    digits = [first // 10, first % 10, second, *map(int, text[2:])]
    return (
        sum(digit * weight for digit, weight in zip(digits, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), strict=True)) % 10 == 0
    )


def _is_medicare_card(text: str) -> bool:
    """Check an Australian Medicare number: eight digits, a check digit, the issue and optionally the person."""
    digits = [int(character) for character in text if character.isdigit()]
    if len(digits) not in (10, 11):
        return False
    total = sum(digit * weight for digit, weight in zip(digits[:8], (1, 3, 7, 9, 1, 3, 7, 9), strict=True))
    return total % 10 == digits[8]


def _is_american_provider(text: str) -> bool:
    """Check a National Provider Identifier: the last of ten digits is Luhn's behind the prefix 80840."""
    digits = re.sub("[ -]", "", text)
    return len(digits) == 10 and luhn.is_valid("80840" + digits)
