"""Numbers as they are written or spoken: read as a value, and another value written in the same form."""

import re
from dataclasses import dataclass

import cn2an

_UNITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_BELOW_20 = [*_UNITS, *_TEENS]
_IRREGULAR = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth"}
_IRREGULAR |= {"twelve": "twelfth"} | {ten: ten[:-1] + "ieth" for ten in _TENS}
_ORDINALS = {word: _IRREGULAR.get(word, word + "th") for word in [*_BELOW_20[1:], *_TENS]}
_VALUES = {word: value for value, word in enumerate(_BELOW_20)} | {ten: 20 + 10 * at for at, ten in enumerate(_TENS)}
_VALUES |= {ordinal: _VALUES[word] for word, ordinal in _ORDINALS.items()}
_VALUES |= {"oh": 0, "o": 0, "nought": 0, "naught": 0, "fourty": 40}

_UNIT, _TEEN, _TEN = "|".join(_UNITS[1:]), "|".join(reversed(_TEENS)), "|".join([*_TENS, "fourty"])
_BREAK = r"(?:\s+|[-‐‑])"
_BELOW_100 = rf"(?:(?:{_TEN})(?:{_BREAK}(?:{_UNIT})\b)?|{_TEEN}|{_UNIT})"
_REST = rf"(?:{_BREAK}(?:and{_BREAK})?{_BELOW_100}\b)?"
_HUNDREDS = rf"(?:(?:a|{_BELOW_100}){_BREAK})?hundred{_REST}"
CARDINAL = (
    rf"(?:a|{_HUNDREDS}|{_BELOW_100}){_BREAK}thousand(?:{_BREAK}(?:and{_BREAK})?{_HUNDREDS}|{_REST})"
    rf"|{_HUNDREDS}|{_BELOW_100}|zero|oh|nought|naught"
    rf"|o(?=\s+(?:{_UNIT}|oh|o|zero|double|triple)\b)"
)
"""Regular expression of an English number in words."""
_ORDINAL_TENS = "|".join(_ORDINALS[ten] for ten in _TENS)
_ORDINAL_TEENS = "|".join(_ORDINALS[word] for word in _TEENS)
_ORDINAL_UNITS = "|".join(_ORDINALS[word] for word in _UNITS[1:])
ORDINAL = rf"(?:(?:{_TEN}){_BREAK})?(?:{_ORDINAL_UNITS})|{_ORDINAL_TEENS}|{_ORDINAL_TENS}"
"""Regular expression of an English ordinal number in words."""

_DIGITS_ZH = "零一二三四五六七八九"
NUMERAL_ZH = "〇零○一二兩两三四五六七八九十廿卅百千"
"""Characters of Chinese numbers."""
_D = "[一二三四五六七八九]"
_POSITIONAL = re.compile(rf"(?:({_D})千)?(?:零?({_D})百)?(?:零?({_D}?)(十))?(?:(零?)({_D}))?")
_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


@dataclass(frozen=True)
class Token:
    """A piece of a text.

    Attributes:
        text: The piece as it stands.
        kind: ``digits`` (29), ``ordinal`` (29th), ``words``, ``ordinal_words``, ``zh`` (二十九), ``zh_digits``
            (二〇二四) or ``zh_short`` (廿九) for a number; ``word``, ``half_day`` (p.m.), ``period`` (下午),
            ``weekday`` (星期三), ``ideograph`` or ``other`` else.
        value: The number, at least 0; -1 for what is none.
    """

    text: str
    kind: str
    value: int = -1

    @property
    def is_number(self) -> bool:
        return self.value >= 0

    @property
    def is_ordinal(self) -> bool:
        return self.kind.startswith("ordinal")


def number(kind: str, text: str) -> Token:
    """Return the piece of a text with its value, if it is a number."""
    match kind:
        case "digits":
            return Token(text, kind, int(text)) if len(text) <= 40 else Token(text, "other")
        case "ordinal":
            return Token(text, kind, int(text[:-2])) if len(text) <= 9 else Token(text, "other")
        case "words" | "ordinal_words":
            return Token(text, kind, _english_value(text))
        case "zh":
            return _chinese(text)
    return Token(text, kind)


def write(token: Token, value: int) -> str:
    """Return a number in the form of another: 9 as "09" after "29" in digits with a zero, as "ninth" after "tenth".

    Args:
        token: The number that it replaces.
        value: The number to write, at least 0.
    """
    text = token.text
    match token.kind:
        case "digits":
            made = str(value).zfill(len(text) if int(text[0]) == 0 else 1)
            return made if text.isascii() else made.translate(_FULL_WIDTH)
        case "ordinal":
            return f"{value}{_ending(value)}"
        case "zh_digits":
            made = "".join(_DIGITS_ZH[int(digit)] for digit in str(value).zfill(len(text) if text[0] in "〇零○" else 1))
            return made.replace("零", next((zero for zero in "〇○" if zero in text), "零"))
        case "zh" | "zh_short":
            return _write_chinese(value, token.kind == "zh_short")
    made = english(value, text)
    if token.kind == "ordinal_words":
        last = re.split(r"[ -]", made)[-1]
        made = made.removesuffix(last) + _ORDINALS.get(last, last + "th")
    return like(text, made)


def counted(token: Token, value: int) -> str:
    """Like ``write``, for a number before what it counts, where two is 兩 in Chinese."""
    return "兩" if value == 2 and token.kind == "zh" else write(token, value)


def like(text: str, made: str) -> str:
    """Return words in the capital or small letters of others."""
    letters = [word[0] for word in re.findall(r"[^\W\d_]+", text)]
    if text.isupper() and len(text) > 1:
        return made.upper()
    if len(letters) > 1 and all(letter.isupper() for letter in letters):
        return re.sub(r"(?<![^\W\d_])[^\W\d_]", lambda match: match.group().upper(), made)
    return made[:1].upper() + made[1:] if text[:1].isupper() else made


def english(value: int, form: str = "") -> str:
    """Return a number below a million in English words, joined as in another number: with spaces, or with hyphens."""
    if value < 20:
        return (
            form.casefold() if value == 0 and form.casefold() in ("oh", "o", "nought", "naught") else _BELOW_20[value]
        )
    if value < 100:
        hyphen = " " if re.search(rf"(?:{_TEN})\s", form, re.IGNORECASE) else "-"
        return _TENS[value // 10 - 2] + (hyphen + _BELOW_20[value % 10] if value % 10 else "")
    hundreds = value < 1000 or ("thousand" not in form.casefold() and value < 10_000 and value // 100 % 10)
    size, name = (100, "hundred") if hundreds else (1000, "thousand")
    link = " and " if "and" in re.findall("[a-z]+", form.casefold()) and value % size < 100 else " "
    rest = link + english(value % size, form) if value % size else ""
    return f"{english(value // size, form)} {name}{rest}"


def _english_value(text: str) -> int:
    total = below = 0
    for word in re.findall(r"[a-z]+", text.casefold()):
        if word == "hundred":
            below = (below or 1) * 100
        elif word == "thousand":
            total, below = (below or 1) * 1000, 0
        else:
            below += _VALUES.get(word, 1 if word == "a" else 0)
    return total + below


def _chinese(text: str) -> Token:
    plain = text.translate(str.maketrans("〇○兩两", "零零二二"))
    if not re.search("[十廿卅百千]", plain):
        return Token(
            text, "zh" if len(text) == 1 else "zh_digits", int("".join(str(_DIGITS_ZH.index(d)) for d in plain))
        )
    kind = "zh_short" if re.search("[廿卅]", plain) else "zh"
    plain = plain.replace("廿十", "廿").replace("廿", "二十").replace("卅十", "卅").replace("卅", "三十")
    match = _POSITIONAL.fullmatch(plain)
    if not match:
        return Token(text, "other")
    thousands, hundreds, tens, ten, zero, ones = match.groups()
    if ones and not ten and not zero and (hundreds or thousands):  # 一百五 is 150
        return Token(text, kind, int(cn2an.cn2an(plain + ("十" if hundreds else "百"), "smart")))
    values = [_DIGITS_ZH.index(digit) if digit else 0 for digit in (thousands, hundreds, tens, ones)]
    values[2] = values[2] or (1 if ten else 0)
    return Token(text, kind, sum(value * size for value, size in zip(values, (1000, 100, 10, 1), strict=True)))


def _write_chinese(value: int, is_short: bool) -> str:
    made = str(cn2an.an2cn(value))
    made = made.removeprefix("一") if 10 <= value < 20 else made
    if is_short and 20 < value < 40 and value != 30:
        return made.replace("二十", "廿").replace("三十", "卅")
    return "卅" if is_short and value == 30 else made


def _ending(value: int) -> str:
    return "th" if value % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
