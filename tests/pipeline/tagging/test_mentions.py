"""Who was found once is found in every form in which the transcript names them."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.settings import TaggerSettings
from pipeline.speech.words import Transcript
from pipeline.tagging.entities import Entity, parse
from pipeline.tagging.mentions import REPEAT, find_mentions
from pipeline.tagging.post_processing import PostProcessor

GROUPS = {"CITY": "addresses", "STREET": "addresses", "HOSPITAL": "care", "ROOM": "care", "DATE": "times"}
GROUPS |= {"PHONE": "patterns", "MEDICAL_RECORD_NUMBER": "identifiers", "PROFESSION": "profession"}


def found(marked: str) -> list[str]:
    """Return the further mentions in a text in which what the adapters found is tagged."""
    text, spans = parse(marked)
    seeds = [
        Entity(each.type, GROUPS.get(each.type, "names"), text[start:end], start, end, 0.9, "adapter")
        for each in spans
        for start, end in [(each.char_start, each.char_end)]
    ]
    mentions = find_mentions(text, seeds)
    assert all(text[each.char_start : each.char_end] == each.text for each in mentions)
    assert {each.source for each in mentions} <= {REPEAT}
    return [each.text for each in mentions]


@pytest.mark.parametrize(
    ("marked", "mentions"),
    [
        ("<PATIENT>Mary Wexford</PATIENT> is here. WEXFORD, mary, Wexford's room", ["WEXFORD", "mary", "Wexford"]),
        ("Mr <PATIENT>O'Brien</PATIENT> came. O’Brien left, O’Brien’s wife too", ["O’Brien", "O’Brien"]),
        ("<PATIENT>José</PATIENT> and " + unicodedata.normalize("NFD", "José") + " and Jose", ["José", "Jose"]),
        ("<DOCTOR>Smith-Jones</DOCTOR> wrote; Smith Jones said", ["Smith Jones"]),
        ("<DOCTOR>Dr. Barnes</DOCTOR> said so. Doctor Barnes knows", ["Barnes"]),
        ("<PATIENT>William Hurst</PATIENT>: call me Bill. Hi Bill, your bill is here", ["Bill", "Bill"]),
        ("<PATIENT>Bob</PATIENT> that is robert", ["robert"]),
        ("<PATIENT>Elizabeth</PATIENT> or Liz or Betty", ["Liz", "Betty"]),
        ("<PATIENT>May Lin</PATIENT>, in May she may come. So May, May. Mrs. May", ["May"] * 4),
        ("<PATIENT>will</PATIENT> I will, Will will", []),
        ("<PATIENT>Wexford</PATIENT> and Wexfordshire", []),
        ("<PATIENT>王小明</PATIENT>你好，小明今天好嗎，王先生請坐，姓王的人", ["小明", "王"]),
        ("<DOCTOR>孫</DOCTOR>醫師說，孫醫師來了，他的孫子", ["孫"]),
        ("<PATIENT>歐陽娜娜</PATIENT>，歐陽小姐，娜娜", ["歐陽", "娜娜"]),
        ("<PATIENT>高文章</PATIENT>寫文章，身高很高，高先生", ["高"]),
        ("<PATIENT>方</PATIENT>太太的方法，小方", ["方"]),
        ("<PHONE>0912-345-678</PHONE> again 0912 345 678 or zero nine one two three four five six seven eight", 2),
        ("電話<PHONE>零九一二三四五六七八</PHONE>，就是 0912345678", ["0912345678"]),
        ("<MEDICAL_RECORD_NUMBER>AB1234</MEDICAL_RECORD_NUMBER> and ab 1234, not 51234 nor 12345", ["ab 1234"]),
        ("<ROOM>12</ROOM> and 12 pills of 12 mg", []),
        ("<ROOM>Room 12</ROOM>, back in room 12", ["room 12"]),
        ("<CITY>Hualien</CITY> is far, HUALIEN's hills", ["HUALIEN"]),
        ("<HOSPITAL>慈濟醫院</HOSPITAL>很大，慈濟醫院", ["慈濟醫院"]),
        ("<STREET>High Street</STREET> was high, the high street", ["high street"]),
        ("<DATE>today</DATE> or today", []),
        ("<PROFESSION>nurse</PROFESSION> the nurse", []),
        ("nobody is here", []),
    ],
)
def test_mentions(marked, mentions):
    if isinstance(mentions, int):
        assert len(found(marked)) == mentions
    else:
        assert [unicodedata.normalize("NFC", each) for each in found(marked)] == mentions


def test_what_a_rule_dropped_stays_dropped_and_what_was_kept_is_not_found_twice():
    text = "Lee and Lee and Lee"
    seeds = [
        Entity("PATIENT", "names", "Lee", 0, 3, 0.9, "adapter"),
        Entity("PATIENT", "names", "Lee", 8, 11, 0.9, "adapter", kept=False, cause="rule:a name"),
    ]
    assert [(each.char_start, each.type, each.confidence) for each in find_mentions(text, seeds)] == [
        (16, "PATIENT", 0.9)
    ]


def test_nothing_is_repeated_of_what_was_dropped():
    dropped = Entity("PATIENT", "names", "Lee", 0, 3, 0.2, "adapter", kept=False, cause="threshold")
    assert find_mentions("Lee and Lee", [dropped]) == []


@pytest.mark.parametrize(("repeats", "count"), [("recording", 2), ("none", 1)])
def test_repeats_can_be_switched_off(repeats, count):
    entity = Entity("PATIENT", "names", "Wexford", 0, 7, 0.9, "adapter")
    assert len(PostProcessor(TaggerSettings(repeats=repeats))(Transcript("Wexford, wexford"), [entity])) == count


@given(st.text(alphabet="Aa'’王小明 éE\u0301.先生1", max_size=30), st.integers(0, 29), st.integers(1, 6))
def test_mentions_are_spans_of_the_text_and_overlap_nothing(text, start, length):
    end = min(start + length, len(text))
    if start >= end:
        return
    seed = Entity("PATIENT", "names", text[start:end], start, end, 0.9, "adapter")
    mentions = find_mentions(text, [seed])
    spans = sorted([(start, end), *((each.char_start, each.char_end) for each in mentions)])
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert all(0 <= each.char_start < each.char_end <= len(text) for each in mentions)
