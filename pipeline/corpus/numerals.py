"""Write a numeral in plain digits, so that the ways of writing it compare equal."""

import re
import unicodedata

import cn2an

IDEOGRAPHS = "零〇一二兩两三四五六七八九十廿卅百千萬万億亿"
FRACTIONS = "¼½¾⅐-⅞"  # a range of a regular expression

_TRADITIONAL = str.maketrans({"两": "兩", "万": "萬", "亿": "億", "廿": "二十", "卅": "三十"})
_DIGITS = str.maketrans("零〇一二三四五六七八九", "00123456789")
_ONE_OR_THE_NEXT = {"一兩", "兩三", "二三", "三四", "四五", "五六", "六七", "七八", "八九"}
_MIXED = re.compile(rf"(?:(\d+)[ -]?)?(?:(\d)/(\d)|([{FRACTIONS}]))")
_CLOCK_OR_COUNT = re.compile(r"[\d:.,]+")
_DECIMAL = re.compile(r"\d+\.\d+")


def in_digits(numeral: str) -> str | None:
    """Write a numeral in digits, or return None if a word is none.

    Commas, colons, a leading zero of the hour and full minutes are left out: 10,000 becomes 10000, 06:30 630 and 11:00
    11. The point of a decimal number stays, and fractions become decimal: 2½ and 2 1/2 are 2.5. So does a leading zero
    in ideographs: 零五 is 05. 三四, which is three or four, becomes ``3,4``, and so does 3:4, which is no time of day.
    """
    if numeral[0] in IDEOGRAPHS:
        return _from_ideographs(numeral.translate(_TRADITIONAL))
    mixed = _MIXED.fullmatch(numeral)
    if mixed:
        share = int(mixed[2]) / int(mixed[3]) if mixed[2] else unicodedata.numeric(mixed[4])
        return str(round(int(mixed[1] or 0) + share, 3))
    plain = unicodedata.normalize("NFKC", numeral)
    return _from_digits(plain) if _CLOCK_OR_COUNT.fullmatch(plain) else None


def _from_ideographs(word: str) -> str:
    if word in _ONE_OR_THE_NEXT:
        return ",".join(word.replace("兩", "二").translate(_DIGITS))
    if word.translate(_DIGITS).isascii():
        return word.translate(_DIGITS)
    try:
        return str(cn2an.cn2an(word, "smart"))
    except ValueError:
        return word


def _from_digits(number: str) -> str:
    plain = re.sub(r"^0(?=\d:)|[:.]00$|,", "", number)
    plain = re.sub(r":(?!\d\d(?!\d))", ",", plain)
    plain = "0" + plain if plain[0] == "." else plain
    return plain if _DECIMAL.fullmatch(plain) else re.sub(r"[:.]", "", plain)
