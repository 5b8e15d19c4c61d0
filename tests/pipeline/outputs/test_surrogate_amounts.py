"""Surrogates of durations and frequencies: other numbers, in the same order and form."""

import pytest

from pipeline.outputs.surrogate_amounts import other_amount
from pipeline.outputs.surrogate_words import NoSurrogateError, read


@pytest.mark.parametrize(
    ("text", "more", "less"),
    [
        ("ten to twelve days", "twelve to fourteen days", "eight to ten days"),
        ("three to five times", "four to six times", "two to four times"),
        ("12hrs", "14hrs", "10hrs"),
        ("two and a half years", "three and a half years", "three and a half years"),
        ("one month", "two months", "two months"),
        ("30 minutes", "40 minutes", "20 minutes"),
        ("1.5 hours", "2.5 hours", "2.5 hours"),
        ("every second day", "every third day", "every third day"),
        ("q6h", "q7h", "q5h"),
        ("seven days a week", "six days a week", "six days a week"),
        ("24 hours a day", "20 hours a day", "20 hours a day"),
        ("1 h", "2 h", "2 h"),
        ("two to seven days a week", "one to six days a week", "one to six days a week"),
        ("an eight week", "a nine week", "a seven week"),
        ("一天三次", "一天四次", "一天兩次"),
        ("一到兩天", "兩到三天", "兩到三天"),
        ("一兩天內", "兩三天內", "兩三天內"),
        ("兩三個月", "三四個月", "一兩個月"),
        ("八九天", "七八天", "七八天"),
        ("四十多分鐘", "五十多分鐘", "三十多分鐘"),
        ("十五年", "二十年", "十年"),
    ],
)
def test_numbers_change_and_keep_their_order(text, more, less):
    assert (other_amount(text, 1), other_amount(text, -1)) == (more, less)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("form", ["{}-{} days", "{} to {} weeks", "{}到{}天"])
def test_a_range_never_runs_backwards(direction, form):
    for low in range(1, 60):
        for high in (low + 1, low + 2, 2 * low):
            made = [t.value for t in read(other_amount(form.format(low, high), direction)) if t.is_number]
            assert 1 <= made[0] < made[1] or low == high


@pytest.mark.parametrize("text", ["seven bottles", "three days after Easter", "nine ten eleven", "24/7", "1/2 hour"])
def test_what_would_stay_in_part_has_no_surrogate(text):
    with pytest.raises(NoSurrogateError):
        other_amount(text, 1)


@pytest.mark.parametrize("text", ["a week", "every other day", "半年", "a second", "twice a day"])
def test_words_that_identify_nobody_stay(text):
    assert other_amount(text, 1) == text
