import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tagging.spoken import addresses, numbers, plain


@pytest.mark.parametrize(
    ("said", "reads"),
    [
        ("oh four one two", "0412"),
        ("zero, four, one, two", "0 4 1 2"),
        ("double seven triple three treble oh", "77333000"),
        ("o four one two o three", "041203"),
        ("oh four twelve thirty-four fifty six", "04123456"),
        ("one ninety two", "192"),
        ("one hundred and sixty eight", "168"),
        ("two hundred fifty five", "255"),
        ("one eight hundred, thirteen hundred", "1800 1300"),
        ("zero four um one two", "0412"),
        ("zero four dash one two", "0412"),
        ("plus six one four", "+614"),
        ("0412 345 678", "0412 345 678"),
        ("0412 three four five 678", "0412 345 678"),
        ("0412-345-678", "0412-345-678"),
        ("9-1-1", "911"),
        ("r v b 6102", "RVB 6102"),
        ("A one two", "A 12"),
        ("零九一二〇幺兩", "0912012"),
        ("０９１２", "0912"),
        ("0912三四五", "0912 345"),
        ("一百九十二", "192"),
        ("十", "10"),
        ("兩百零五", "205"),
        ("廿三", "23"),
        ("卅", "30"),
        ("一百廿三", "123"),
        ("两百零五", "205"),
        ("貳兩贰两", "2222"),
        ("么么九", "119"),
        ("什麼九怎么九", "什么9怎么9"),
        ("‘oh four one two’", "'0412'"),
    ],
)
def test_spoken_numbers_read_as_digits(said: str, reads: str):
    assert numbers(plain(said)).text == reads


@pytest.mark.parametrize(
    "said",
    [
        "someone phoned, I'm often undone",  # words that hold number words
        "BP 120/80, 2.5 3.5 at 10:30:15, T12",
        "一天三次一次兩顆一下就好",
    ],
)
def test_other_numbers_stay_as_they_are(said: str):
    assert numbers(plain(said)).text == plain(said).text


def test_what_a_number_counts_does_not_lengthen_it():
    assert numbers(plain("seven eight two times a day")).text == "78 two times A day"
    assert numbers(plain("七八一天三次")).text == "78一天三次"


@pytest.mark.parametrize(
    ("said", "reads"),
    [
        ("j smith at gmail dot com", "j smith@gmail.com"),
        ("w w w dot example dot org slash x", "www.example.org/x"),
        ("triple w dot a dash b dot com", "www.a-b.com"),
        ("double u double u double u dot c o m", "www.com"),
        ("h t t p colon slash slash a underscore b", "http://a_b"),
        ("ten dot zero dot zero dot one", "10.0.0.1"),
        ("十點零點零點一", "10.0.0.1"),
        ("abc 小老鼠 example 點 com 斜線 x", "abc@example.com/x"),
        ("abc 小老鼠 example 点 com 斜线 x 减号 y 底线 z 冒号", "abc@example.com/x-y_z:"),
        ("o apostrophe neil plus 4 plus test percent x at sign a dot com", "o'neil+4+test%x@a.com"),
        ("a dot com forward slash b under score c", "a.com/b_c"),
        ("a 加號 b 撇號 c 百分號 d 連字號 e 下劃線 f", "a+b'c%d-e_f"),
        ("a 加号 b 撇号 c 百分号 d 连字号 e 下划线 f", "a+b'c%d-e_f"),
    ],
)
def test_spoken_signs_read_as_signs(said: str, reads: str):
    assert addresses(plain(said)).text == reads


@pytest.mark.parametrize(
    ("written", "reads"),
    [
        ("".join(map(chr, range(0x2010, 0x2016))) + "−-﹘﹣－", "-" * 11),
        ("'’‘‛ʼ′`´＇", "'" * 9),
        ("٠١٢ ۳۴ ५६ ๗๘ 𝟗𝟘 ０１ ①", "012 34 56 78 90 01 1"),
        ("04\u00ad91\u200b5\u20607\ufeff0", "0491570"),
        ("電話护照帳號手機", "电话护照帐号手机"),
        ("㎏ ½", "kg 1⁄2"),
    ],
)
def test_what_looks_alike_reads_alike(written: str, reads: str):
    assert plain(written).text == reads


def test_what_cannot_be_seen_lies_within_the_span_around_it():
    said = "ring 04\u00ad91\u200b 570\u200b now"
    reading = numbers(plain(said))
    assert reading.text == "ring 0491 570 now"
    assert said[slice(*reading.span(5, 13))] == "04\u00ad91\u200b 570"


def test_a_span_leads_back_to_the_transcript():
    said = "㎏ ring oh four, double five"
    reading = numbers(plain(said))
    assert reading.text == "kg ring 04 55"
    assert [said[slice(*reading.span(*span))] for span in ((8, 10), (11, 13), (8, 13), (0, 2))] == [
        "oh four",
        "double five",
        "oh four, double five",
        "㎏",
    ]


@given(
    st.lists(
        st.sampled_from(
            [
                "oh",
                "double",
                "one",
                "twenty",
                "hundred",
                "and",
                "at",
                "dot",
                " ",
                " ",
                ", ",
                "7",
                "0412",
                "零",
                "十",
                "百",
            ]
        )
        | st.text(max_size=3)
    ).map("".join)
)
def test_the_way_back_runs_forward_through_any_text(said: str):
    for reading in (plain(said), numbers(plain(said)), addresses(plain(said))):
        assert len(reading.text) == len(reading.starts) == len(reading.ends)
        assert list(reading.starts) == sorted(reading.starts)
        assert list(reading.ends) == sorted(reading.ends)
        for character, start, end in zip(reading.text, reading.starts, reading.ends, strict=True):
            assert 0 <= start <= end <= len(said)
            assert start < end or character == " "
