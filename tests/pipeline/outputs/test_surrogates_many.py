"""Ten thousand surrogates: every one could be true, and none is the real thing."""

import random
import re
from datetime import date, datetime, timedelta

from pipeline.outputs.surrogate_move import move_of
from pipeline.outputs.surrogates import Surrogates
from pipeline.tagging.checks import check_by_name

LUHN, TAIWAN = check_by_name("stdnum luhn"), check_by_name("taiwan-id")


def card(chance: random.Random) -> str:
    body = "4" + "".join(chance.choice("0123456789") for _ in range(14))
    return next(body + digit for digit in "0123456789" if LUHN(body + digit))


def taiwanese(chance: random.Random) -> str:
    body = chance.choice("ABCDEFGH") + chance.choice("12") + "".join(chance.choice("0123456789") for _ in range(7))
    return next(body + digit for digit in "0123456789" if TAIWAN(body + digit))


def some_date(chance: random.Random) -> date:
    return date(1920, 1, 1) + timedelta(chance.randrange(40_000))


FORMS = ["%Y-%m-%d", "%d/%m/%Y", "%d %B %Y", "%B %d, %Y", "%b %d, %Y", "%Y年%m月%d日", "%Y%m%d", "ROC"]


def written(day: date, form: str) -> str:
    return f"民國{day.year - 1911}年{day.month}月{day.day}日" if form == "ROC" else day.strftime(form)


def read(text: str) -> date:
    """Return the date that a text says in one of the forms; raise StopIteration if there is no such day."""
    if roc := re.fullmatch(r"民國(\d+)年(\d+)月(\d+)日", text):
        return date(int(roc[1]) + 1911, int(roc[2]), int(roc[3]))
    return next(day for form in FORMS[:-1] if (day := parsed(text, form)))


def parsed(text: str, form: str) -> date | None:
    try:
        return datetime.strptime(text, form).date()
    except ValueError:
        return None


MAKE = {
    "AGE": lambda chance: str(chance.randrange(121)),
    "DATE": lambda chance: written(some_date(chance), chance.choice(FORMS)),
    "ACCOUNT_NUMBER": card,
    "ID_NUMBER": taiwanese,
    "PATIENT": lambda chance: chance.choice(["Ann", "Bob", "James"]) + " " + chance.choice("ABCDEFGH") + "oe" * 3,
}


def test_ten_thousand_surrogates_could_be_true():
    chance = random.Random(5)
    one, other = Surrogates(1), Surrogates(2)
    for number in range(2_000):
        recording = str(number % 50)
        replace, replace_other, days = one.of(recording), other.of(recording), move_of(1, recording).days
        for type_, make in MAKE.items():
            text = make(chance)
            made = replace(type_, text)
            assert made.casefold() != text.casefold() and not made.startswith("[")
            if type_ in ("ACCOUNT_NUMBER", "ID_NUMBER"):
                assert made != replace_other(type_, text)
            match type_:
                case "AGE":
                    assert made == "over 89" if int(text) > 89 else 0 <= int(made) <= 89
                case "DATE":
                    assert read(made) - read(text) == timedelta(days)
                case "ACCOUNT_NUMBER":
                    assert LUHN(made) and re.fullmatch(r"4\d{15}", made)
                case "ID_NUMBER":
                    assert TAIWAN(made)
