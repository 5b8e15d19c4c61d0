"""Who was found once is found in every form in which the transcript names them."""

import unicodedata
from itertools import pairwise

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.settings import TaggerSettings
from pipeline.speech.words import Transcript
from pipeline.tagging.entities import Entity, parse
from pipeline.tagging.mention_forms import BUILT_IN
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


@pytest.mark.parametrize(
    ("marked", "mentions"),
    [
        ("<DOCTOR>王醫師</DOCTOR>說，那位醫師很好", []),
        ("<DOCTOR>王醫師</DOCTOR>說，王醫師，老王，王主任", ["王醫師", "王", "王"]),
        ("<PATIENT>黃小姐</PATIENT>，小姐請坐，黃太太", ["黃"]),
        ("<DOCTOR>陳主任</DOCTOR>，主任說，陈医师", ["陈"]),
        ("<DOCTOR>歐陽主治醫師</DOCTOR>，主治醫師，歐陽說", ["歐陽"]),
        ("<PATIENT>王小明先生</PATIENT>，先生，小明，王先生", ["小明", "王"]),
        ("<DOCTOR>Dr. 王</DOCTOR>，Dr. Lee，王醫師", ["王"]),
        ("<DOCTOR>醫師</DOCTOR>，醫師", []),
        ("<DOCTOR>the doctor</DOCTOR> or a doctor, the doctor", []),
        ("<HOSPITAL>醫師之家</HOSPITAL>，醫師之家的醫師", ["醫師之家"]),
        ("<PATIENT>Mr and Mrs Smith</PATIENT> and he or Smith", ["Smith"]),
        ("<DOCTOR>John Smith MD</DOCTOR> or another MD", []),
        ("<PATIENT>Maria de la Cruz</PATIENT> de la clinic, Cruz", ["Cruz"]),
        ("<PATIENT>Minh Le</PATIENT> or Mr. Le", ["Le"]),
    ],
)
def test_a_title_is_no_name_and_neither_is_a_particle(marked, mentions):
    assert found(marked) == mentions


@pytest.mark.parametrize(
    ("marked", "mentions"),
    [
        ("<DOCTOR>Chris He</DOCTOR> said he will call. He will, so I asked Dr. He, he said", ["He"]),
        ("<DOCTOR>Chris He</DOCTOR> knows. Yes, doctor. He does", []),
        ('<DOCTOR>Chris He</DOCTOR> said, "He came"', []),
        ("<DOCTOR>chris he</DOCTOR> said he will call, chris he said so, dr he said", ["chris he", "he"]),
        ("<DOCTOR>Dr. Ng</DOCTOR>, 5 ng per mL. Ng said", ["Ng"]),
        ("<DOCTOR>dr ng</DOCTOR> says 5 ng per ml, doctor ng", ["ng"]),
        ("<PATIENT>Mai An</PATIENT> ate an apple. An apple, so An ate", ["An"]),
        ("<PATIENT>Lily Sun</PATIENT> in the sun, Sun said", ["Sun"]),
        ("<PATIENT>David Tan</PATIENT> has a tan. Tan said", ["Tan"]),
        ("<DOCTOR>Tom Pan</DOCTOR> has a pan and a fan", []),
        ("<PATIENT>Ma</PATIENT>, pa and ma; hi Ma", ["Ma"]),
        ("<PATIENT>Kim To</PATIENT> went to In and My", []),
        ("<DOCTOR>Guy Burns</DOCTOR> says it burns, the guy hurt, so Guy and Dr. Burns", ["Guy", "Burns"]),
        ("<PATIENT>Ann Foster</PATIENT> in foster care. Foster said", ["Foster"]),
        ("<PATIENT>mary weeks</PATIENT> for two weeks, mrs weeks, mary weeks", ["weeks", "mary weeks"]),
        ("<PATIENT>Tim Song</PATIENT>, a song, the Song family", ["Song"]),
        ("<PATIENT>Yes Hurt</PATIENT>, yes it hurt", []),
        ("<PATIENT>Will Lee</PATIENT>: the doctor will see you, nurse Will", ["Will"]),
        ("<PATIENT>CHRIS HE</PATIENT> SAID HE WILL", []),
        ("<PATIENT>Amy Lee</PATIENT>, LEE score, Lee's. Lee, miss lee", ["Lee", "Lee", "lee"]),
        ("<PATIENT>amy lee</PATIENT>, lee and amy", ["lee", "amy"]),
        ("<PATIENT>Zoë Lindqvist</PATIENT> or Zoe", ["Zoe"]),
        ("<DOCTOR>May</DOCTOR>醫師，may 醫師", ["may"]),
    ],
)
def test_a_name_that_is_a_word_or_short_has_its_own_spelling_or_a_title(marked, mentions):
    assert found(marked) == mentions


@pytest.mark.parametrize(
    ("marked", "mentions"),
    [
        ("<PATIENT>Edward</PATIENT> came to ED, came to ed, hi Ed. Ed left", ["Ed", "Ed"]),
        ("<PATIENT>edward</PATIENT> came to the ed, mr ed", ["ed"]),
        ("<PATIENT>Catherine</PATIENT> had a CAT scan, a cat, hi Cat", ["Cat"]),
        ("<PATIENT>Dorothy</PATIENT> saw a dot, hi Dot", ["Dot"]),
        ("<PATIENT>Albert</PATIENT>, see Smith et al, hi Al", ["Al"]),
        ("<PATIENT>Christopher</PATIENT> has a test kit, hi Kit", ["Kit"]),
        ("<PATIENT>Nicholas</PATIENT> has a nick, hi Nick", ["Nick"]),
        ("<PATIENT>Margaret</PATIENT> takes 2 meg, hi Meg", ["Meg"]),
        ("<PATIENT>Theodore</PATIENT> wears TED stockings, hi Ted", ["Ted"]),
        ("<PATIENT>robert</PATIENT> or bob", ["bob"]),
    ],
)
def test_a_nickname_that_is_a_word_or_short_is_capitalised(marked, mentions):
    assert found(marked) == mentions


@pytest.mark.parametrize(
    ("marked", "mentions"),
    [
        ("<USERNAME>mary_w</USERNAME> or mary_w", ["mary_w"]),
        ("<USERNAME>a+b@c.org</USERNAME> or a+b@c.org", ["a+b@c.org"]),
        ("<ORGANIZATION>Smith & Sons</ORGANIZATION>, Smith & Sons, Smith, Sons", ["Smith & Sons"]),
        ("<HOSPITAL>Mercy Hospital, Clayton</HOSPITAL> is Mercy Hospital, Clayton", ["Mercy Hospital, Clayton"]),
        ("<HOSPITAL>Mercy</HOSPITAL> has no mercy. Mercy is far", ["Mercy"]),
        ("<CITY>reading</CITY> or reading, Reading", ["reading"]),
        ("<PATIENT>Lee, Amy</PATIENT> is lee, amy", ["lee, amy"]),
        ("<DOCTOR>Dr. Will</DOCTOR> will, Dr. Will", ["Dr. Will"]),
        ("<HOSPITAL>慈濟（花蓮）</HOSPITAL>是慈濟（花蓮）", ["慈濟（花蓮"]),
    ],
)
def test_what_was_found_is_found_in_the_same_words(marked, mentions):
    assert found(marked) == mentions


@given(st.from_regex(r"[a-z]{2,5}([_&@,:/ +#.-]{1,3}[a-z]{2,5}){1,3}", fullmatch=True))
def test_several_words_are_found_again_whatever_stands_between_them(words):
    assert found(f"<HOSPITAL>{words}</HOSPITAL> ; {words} ; x{words}x") == [words]


@pytest.mark.parametrize(
    ("marked", "mentions"),
    [
        ("<PATIENT>Mary Wexford</PATIENT>, the Wexfords, the wexfords' house", ["Wexfords", "wexfords"]),
        ("<PATIENT>Pat O'Brien</PATIENT>, the O’Briens' house", ["O’Briens"]),
        ("<PATIENT>Mary Jones</PATIENT>, the Joneses, Jones' house", ["Joneses", "Jones"]),
        ("<PATIENT>Ann Fox</PATIENT>: the foxes, the Foxes", ["Foxes"]),
        ("<PATIENT>Ann Hill</PATIENT> in the hills, the Hills", ["Hills"]),
        ("<PATIENT>Minh Tran</PATIENT> eats trans fats, the Trans family", ["Trans"]),
        ("<CITY>Hualien</CITY> and Hualiens", []),
    ],
)
def test_a_family_is_the_plural_of_its_name(marked, mentions):
    assert found(marked) == mentions


@pytest.mark.parametrize("apostrophe", "'’‘‛ʼʻʽʹˈ′‵`´＇")
def test_all_apostrophes_are_one(apostrophe):
    name = f"O{apostrophe}Brien"
    assert found(f"<PATIENT>O'Brien</PATIENT>, {name}{apostrophe}s, obrien") == [name, "obrien"]
    assert found(f"<PATIENT>{name}</PATIENT>, O'Brien") == ["O'Brien"]


@pytest.mark.parametrize("invisible", ["\u00ad", "\u200b", "\u200d", "\u2060", "\ufeff", "\ufe0f"])
def test_what_cannot_be_seen_does_not_count(invisible):
    name, chinese = f"Wex{invisible}ford", f"小{invisible}明"
    assert found(f"<PATIENT>Wexford</PATIENT>, {name}, {name}'s") == [name] * 2
    assert found(f"<PATIENT>王小明</PATIENT>，{chinese}") == [chinese]


@pytest.mark.parametrize(
    ("marked", "mentions"),
    [
        ("<PATIENT>毛</PATIENT>太太，老毛病，小毛病，老毛說", ["毛"]),
        ("<PATIENT>葉</PATIENT>先生，小葉增生，小葉今天來", ["葉"]),
        ("<PATIENT>管</PATIENT>先生，腎小管", []),
        ("<PATIENT>孔</PATIENT>先生，有一個小孔", []),
        ("<PATIENT>方</PATIENT>先生，老方法，對方先生，方先生", ["方"]),
        ("<PATIENT>王小明</PATIENT>，小王子，國王先生，老王膝蓋痛", ["王"]),
        ("<PATIENT>李</PATIENT>小姐，行李先生，在銀行李先生說", ["李"]),
        ("<PATIENT>王小明</PATIENT>從小明白，小明天天來，小明年紀小，我跟小明說", ["小明"] * 3),
        ("<PATIENT>陳順利</PATIENT>，手術順利，順利先生，陳順利", ["順利", "陳順利"]),
        ("<PATIENT>李國民</PATIENT>，國民健康署，李國民眾多", ["李國民"]),
        ("<PATIENT>林大</PATIENT>，林大小便，林大說", ["林大"]),
        ("<PATIENT>陳怡君</PATIENT>，陈怡君，陈小姐", ["陈怡君", "陈"]),
    ],
)
def test_a_chinese_name_is_no_part_of_a_word_and_one_that_is_a_word_has_its_family_name_or_a_title(marked, mentions):
    assert found(marked) == mentions


@pytest.mark.parametrize(
    ("marked", "mentions"),
    [
        ("<MEDICAL_RECORD_NUMBER>12080</MEDICAL_RECORD_NUMBER>, BP 120/80, 120, 80, 120 80", ["120 80"]),
        ("<ZIP>3015</ZIP>, 30, 15 or 30/15 or 30；15, 30-15 and 30.15", ["30-15", "30.15"]),
        ("<ZIP>3015</ZIP>, 三零，一五, 三零一五", ["三零一五"]),
        ("<ROOM>12/080</ROOM>, 12/080, 12, 080", ["12/080"]),
        ("<ROOM>12080</ROOM> is <ROOM>12/080</ROOM>, 12/080", ["12/080"]),
        ("<PHONE>0912-345-678</PHONE>, 0912, 345, 678", ["0912, 345, 678"]),
    ],
)
def test_a_short_number_is_not_two_numbers_in_a_list_or_a_fraction(marked, mentions):
    assert found(marked) == mentions


def test_what_is_known_about_names_is_text():
    known = yaml.safe_load(BUILT_IN.read_text(encoding="utf-8"))
    short_forms = known.pop("nicknames")
    assert all(isinstance(word, str) for words in (*known.values(), *short_forms.values()) for word in words)


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
