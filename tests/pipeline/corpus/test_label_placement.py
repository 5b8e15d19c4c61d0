"""Where labels stand in a transcript."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import submission
from pipeline.corpus.label_placement import BY_TIME, NO_TEXT, NOT_SAID, OTHER_TIME, SAID_LESS_OFTEN, Label, place_labels
from pipeline.speech.words import Piece, transcript_from_pieces

LATIN = r"[0-9A-Za-z]"


def spans(transcript: str, *labels: tuple[str, float], **options) -> list[tuple[str, str | None]]:
    """Locate labels given as text and start; return how each was found and what stands there."""
    found = place_labels(transcript, [Label(text, start, start + 0.4) for text, start in labels], **options)
    return [(f.match, None if f.char_start is None else transcript[f.char_start : f.char_end]) for f in found]


@pytest.mark.parametrize(
    ("transcript", "label", "match", "span"),
    [
        ("I saw Dr. Lee today.", "Lee", "exact", "Lee"),
        ("See you. Tomorrow then.", "tomorrow", "normalised", "Tomorrow"),
        ("about ten minutes late", "10 minutes", "normalised", "ten minutes"),
        ("it's a 6:30 game", "630", "normalised", "6:30"),
        ("flights from L.A., or Boston", "LA", "normalised", "L.A."),
        ("可以做腦判十一點半好嗎", "11點半", "normalised", "十一點半"),
        ("let's say Dr. Bourd says okay", "Board", "fuzzy", "Bourd"),
        ("for the last couple of months", "couple months", "fuzzy", "couple of months"),
        ("you know what I mean", "now", "not_found", None),
        ("did you hear", "David", "not_found", None),
        ("on Wednesday the 11th", "12th", "not_found", None),
        ("two days a week", "day", "not_found", None),
        ("a couple of weeks ago", "couple of days", "not_found", None),
        ("on Sunday morning we left", "Monday morning", "not_found", None),
        ("in the morning on Monday", "in the evening on Monday", "not_found", None),
        ("on December 22 we met", "September 22", "not_found", None),
        ("and then Mary came", "Gary", "not_found", None),
        ("at Saint Mary's Hospital", "St. Mary's Hospital", "not_found", None),
        ("陳醫師在嗎", "程醫師", "not_found", None),
        ("林雅婷護理師來了", "林雅亭", "not_found", None),
        ("上個月開始的", "下個月", "not_found", None),
        ("昨天早上八點吃藥", "晚上八點", "not_found", None),
        ("台中榮總說的", "台北榮總", "not_found", None),
        ("他今年二十五歲", "五歲", "not_found", None),
        ("十一月回診", "一月", "not_found", None),
        ("it's at 6:30 then", "30", "not_found", None),
        ("about 2.5 hours", "5 hours", "not_found", None),
        ("seventy eight days", "eight days", "not_found", None),
        ("up at ten oh five", "10:05", "normalised", "ten oh five"),
        ("born nineteen oh five", "1905", "normalised", "nineteen oh five"),
        ("since twenty oh five", "2005", "normalised", "twenty oh five"),
        ("in 10. Oh 5 more", "10:05", "not_found", None),
        ("for a year and a half", "1.5 years", "normalised", "a year and a half"),
        ("for one year and a half now", "1.5 years", "normalised", "one year and a half"),
        ("took an hour and a half", "1.5 hours", "normalised", "an hour and a half"),
        ("for 2½ years", "2.5 years", "normalised", "2½ years"),
        ("有二點五年了", "2.5年", "normalised", "二點五年"),
        ("大概二點五個月", "2.5個月", "normalised", "二點五個月"),
        ("half an hour ago", "0.5 hours", "normalised", "half an hour"),
        ("過了半個月", "0.5個月", "normalised", "半個月"),
        ("體溫三十七點五度", "37.5度", "normalised", "三十七點五度"),
        ("took 12h", "12 hours", "normalised", "12h"),
        ("two hours ago", "H", "not_found", None),
        ("是十點十五到的", "10:15", "normalised", "十點十五"),
        ("三點五十", "3:50", "normalised", "三點五十"),
        ("十點零五", "10:05", "normalised", "十點零五"),
        ("早上三點五個人", "三點", "exact", "三點"),
        ("早上八點一天一次", "早上八點", "exact", "早上八點"),
        ("at twenty to one", "12:40", "normalised", "twenty to one"),
        ("at ten to twelve", "11:50", "normalised", "ten to twelve"),
        ("at ten to twelve", "10 to 12", "normalised", "ten to twelve"),
        ("ten to twelve days", "11:50", "not_found", None),
        ("from five to nine", "8:55", "not_found", None),
        ("five minutes to nine", "8:55", "normalised", "five minutes to nine"),
        ("ten after six", "6:10", "normalised", "ten after six"),
        ("差十分九點", "8:50", "normalised", "差十分九點"),
        ("差一刻九點", "8:45", "normalised", "差一刻九點"),
        ("at 6.30", "six thirty", "normalised", "6.30"),
        ("it was 6.30 p.m.", "6:30 pm", "normalised", "6.30 p.m."),
        ("for 2.25 hours", "225 hours", "not_found", None),
        ("I am 25 years old", "2.5 years", "not_found", None),
        ("for 2.5 years", "25 years", "not_found", None),
        ("about 15 hours", "1.5 hours", "not_found", None),
        ("一年半", "15年", "not_found", None),
        ("three to four days", "34 days", "not_found", None),
        ("about ten fifteen minutes", "10-15 minutes", "fuzzy", "ten fifteen minutes"),
    ],
)
def test_a_label_is_found_as_it_is_written_or_nearly(transcript, label, match, span):
    assert spans(transcript, (label, 0.5)) == [(match, span)]


def test_the_fuzzy_step_can_be_turned_off():
    assert spans("let's say Dr. Bourd says", ("Board", 0.5), fuzzy=False) == [("not_found", None)]


def test_each_of_several_mentions_gets_its_own_place_in_the_order_of_time():
    text = "Today I saw Lee. Lee was fine today."
    found = place_labels(text, [Label("Lee", 1.0, 1.2), Label("Lee", 0.7, 0.9), Label("today", 2.0, 2.3)])
    assert [f.char_start for f in found] == [17, 12, 30]


def test_a_word_that_is_said_often_is_taken_where_the_time_fits():
    text = "Now " + "and then we talked about other things " * 4 + "and now we stop."
    assert spans(text, ("now", 10.5)) == [("exact", "now")]
    assert spans(text, ("Now", 0.1)) == [("exact", "Now")]
    early = place_labels("today, " + "and so on and so on " * 10 + "today", [Label("today", 0.2, 0.5)])
    late = place_labels("today, " + "and so on and so on " * 10 + "today", [Label("today", 12.5, 13.0)])
    assert early[0].char_start == 0 and late[0].char_start == 207


def test_a_label_that_stands_before_its_time_does_not_cost_the_others():
    # Searched for one after the other, the first label would take the last "Tanya", and the second find nothing.
    text = "When Tanya came, her father said that Ivan and Tanya had left."
    assert spans(text, ("Ivan", 2.4), ("Tanya", 2.8), ("Tanya", 0.3)) == [
        ("exact", "Ivan"),
        ("exact", "Tanya"),
        ("exact", "Tanya"),
    ]
    found = place_labels(text, [Label("Ivan", 2.4, 2.6), Label("Tanya", 2.8, 3.0), Label("Tanya", 0.3, 0.6)])
    assert [f.char_start for f in found] == [38, 47, 5]


def test_a_name_is_not_the_small_word_that_is_spelled_like_it():
    [found] = place_labels("well now, I will see what happens. And then Will said it.", [Label("Will", 1.4, 1.6)])
    assert found.char_start == 44


def test_a_long_silence_does_not_hide_what_is_written_word_for_word():
    text = "Good morning Mrs. Gwendolyn Parker, please take a seat. How is your hip today? It is much better."
    assert spans(text, ("Gwendolyn Parker", 1.1), duration_s=60.0) == [("exact", "Gwendolyn Parker")]


def test_labels_that_overlap_in_time_may_overlap_in_the_text():
    found = place_labels("I live in New York City now", [Label("New York", 0.6, 1.2), Label("New York City", 0.6, 1.5)])
    assert [(f.char_start, f.char_end) for f in found] == [(10, 18), (10, 23)]


@pytest.mark.parametrize(
    ("transcript", "labels", "causes"),
    [
        ("nothing here", [Label("Amy", 0.1, 0.3)], [NOT_SAID]),
        ("nothing here", [Label(" ", 0.1, 0.3)], [NO_TEXT]),
        ("", [Label("Amy", 0.1, 0.3)], [NOT_SAID]),
        ("Amy", [Label("Amy", 0.1, 0.3), Label("Amy", 5.0, 5.3)], [None, SAID_LESS_OFTEN]),
        ("Amy went " + "and on " * 99, [Label("Amy", 40.0, 40.3), Label("went", 0.1, 0.3)], [OTHER_TIME, None]),
    ],
)
def test_a_label_that_is_not_found_has_a_cause(transcript, labels, causes):
    assert [location.cause for location in place_labels(transcript, labels)] == causes


def test_word_times_decide_between_mentions():
    pieces = [Piece(" today", 0.0, 0.4), Piece(" is", 3.0, 3.2), Piece(" not", 3.2, 3.5), Piece(" today", 9.0, 9.4)]
    transcript = transcript_from_pieces(pieces, 10.0, "test")
    for start, place in ((0.05, 0), (8.9, 13)):
        [found] = place_labels(transcript.text, [Label("today", start, start + 0.4)], transcript.words)
        assert (found.match, found.char_start) == ("exact", place)


def test_misrecognised_words_are_found_by_their_time():
    pieces = [Piece(" ask", 0.0, 0.3), Piece(" “on", 0.3, 0.5), Piece(" ya,”", 0.5, 0.7), Piece(" please", 0.7, 1.2)]
    transcript = transcript_from_pieces(pieces, 2.0, "test")
    label = Label("Tonya", 0.3, 0.72)
    [found] = place_labels(transcript.text, [label], transcript.words)
    assert (found.match, transcript.text[found.char_start : found.char_end], found.cause) == ("fuzzy", "on ya", BY_TIME)
    assert place_labels(transcript.text, [label], transcript.words, fuzzy=False)[0].match == "not_found"
    assert place_labels(transcript.text, [Label("Tonya", 1.4, 1.8)], transcript.words)[0].match == "not_found"
    assert place_labels(transcript.text, [label._replace(text="Fred")], transcript.words)[0].match == "not_found"
    assert place_labels(transcript.text, [label._replace(text="")], transcript.words)[0].cause == BY_TIME


WORDS = st.sampled_from(
    ["now", "know", "Tanya", "Tonya's", "ten", "10", "陳", "醫師", "十一", "a.m.", "day-to-day", "é"]
)


@given(st.lists(WORDS, max_size=25), st.lists(st.tuples(WORDS, st.floats(0, 30)), max_size=12))
def test_spans_keep_to_words_and_to_time_whatever_is_labelled(said, labels):
    text = " ".join(said)
    given_labels = [Label(word, start, start + 0.3) for word, start in labels]
    found = place_labels(text, given_labels)
    ordered = sorted(zip(given_labels, found, strict=True), key=lambda pair: pair[0].start_s)
    starts = [location.char_start for _, location in ordered if location.char_start is not None]
    assert starts == sorted(starts)
    for location in found:
        assert (location.match == "not_found") == (location.char_start is None) == (location.cause is not None)
        if location.char_start is not None:
            assert text[location.char_start : location.char_end].strip()
            assert not inside_a_word(text, location.char_start) and not inside_a_word(text, location.char_end)


def test_a_long_recording_with_many_labels_is_placed_whole():
    words = ["today"] * 300
    found = place_labels(" and then ".join(words), [Label("today", i * 0.9, i * 0.9 + 0.3) for i in range(300)])
    assert [location.char_start for location in found] == [i * 15 for i in range(300)]


def inside_a_word(text: str, place: int) -> bool:
    return bool(re.match(LATIN * 2, text[max(place - 1, 0) : place + 1])) and place > 0


@pytest.mark.parametrize(
    ("folder", "labels", "least"), [("train1", 833, 775), ("train2", 987, 940), ("valid", 584, 570)]
)
def test_nearly_all_labels_of_the_real_corpus_are_found_and_on_the_edges_of_words(shared, folder, labels, least):
    folder = shared / "corpus" / folder
    transcripts = submission.read_task1(str(folder / "task1_answer.txt"))
    of_recording: dict[str, list[Label]] = {}
    for row in submission.read_task2(str(folder / "task2_answer.txt")).to_pylist():
        label = Label(row["text"], row["start_s"], row["end_s"])
        of_recording.setdefault(row["recording_id"], []).append(label)
    matches: Counter[str] = Counter()
    for recording_id, some in of_recording.items():
        text = transcripts[recording_id]
        for label, found in zip(some, place_labels(text, some), strict=True):
            matches[found.match] += 1
            if found.char_start is None:
                assert found.cause
                continue
            assert not inside_a_word(text, found.char_start) and not inside_a_word(text, found.char_end)
            if found.match == "exact":
                assert text[found.char_start : found.char_end] == label.text
    assert matches.total() == labels
    assert labels - matches["not_found"] >= least
