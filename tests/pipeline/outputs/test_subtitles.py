"""Subtitles and TextGrids: other programs read them, and find every word at its time."""

import html
import io
import re
from itertools import pairwise

import webvtt as reader
from hypothesis import given, settings
from hypothesis import strategies as st
from praatio import textgrid as praat

from pipeline.outputs.subtitles import textgrid, webvtt
from pipeline.speech.words import Piece, Transcript, Word, transcript_from_pieces
from pipeline.tagging.entities import Span

TALK = transcript_from_pieces(
    [
        Piece(f" {word}", i * 0.8, i * 0.8 + 0.6)
        for i, word in enumerate(["Mr.", "Lee", "said", "<no>", "&", "left", "for", "台北", "on", "May", "5"])
    ],
    9.0,
    "whisper",
)
SPANS = [Span("PATIENT", 4, 7), Span("CITY", 29, 31), Span("DATE", 35, 40)]


def test_cues_last_a_few_seconds_and_never_end_inside_an_entity():
    assert webvtt(TALK, SPANS) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:04.600\nMr. <c.PATIENT>Lee</c> said &lt;no&gt; &amp; left\n\n"
        "00:00:04.800 --> 00:00:08.600\nfor <c.CITY>台北</c> on <c.DATE>May 5</c>\n"
    )
    long = Transcript("ab cd", [Word("ab", 0, 2, 0.0, 4.0), Word("cd", 3, 5, 4.0, 8.0)])
    assert webvtt(long, []).count("-->") == 2 and webvtt(long, [Span("OTHER", 0, 5)]).count("-->") == 1


def test_a_transcript_without_words_has_no_cues_and_an_empty_grid(tmp_path):
    assert webvtt(Transcript(""), []) == "WEBVTT\n"
    path = tmp_path / "a.TextGrid"
    path.write_text(textgrid(Transcript(""), [], 2.5), encoding="utf-8")
    grid = praat.openTextgrid(str(path), includeEmptyIntervals=True)
    assert [tuple(e) for e in grid.getTier("words").entries] == [(0.0, 2.5, "")] and grid.maxTimestamp == 2.5


def test_times_beyond_an_hour_are_written_right():
    late = Transcript("hi", [Word("hi", 0, 2, 3725.0494, 3725.0494)])
    assert "01:02:05.049 --> 01:02:05.050\nhi" in webvtt(late, [])


WORDS = st.lists(
    st.tuples(st.text('a"<&>早é-', min_size=1, max_size=4), st.integers(0, 2000), st.integers(0, 900)), max_size=8
)


def made_up(words) -> Transcript:
    """Return a transcript whose words overlap, pause and have no length, as ASR models write them."""
    text, made, at = "", [], 0
    for word, pause, length in words:
        text += " " if text else ""
        at += pause
        made.append(Word(word, len(text), len(text) + len(word), at / 1000, (at + length) / 1000))
        text += word
    return Transcript(text, made)


@settings(deadline=None)
@given(WORDS)
def test_players_read_back_every_word_in_order(words):
    transcript = made_up(words)
    cues = list(reader.from_buffer(io.StringIO(webvtt(transcript, []))))
    assert " ".join(html.unescape(cue.raw_text) for cue in cues) == transcript.text
    assert all(cue.start < cue.end for cue in cues)
    assert [cue.start for cue in cues] == sorted(cue.start for cue in cues)


@settings(deadline=None)
@given(WORDS, st.integers(1, 30_000))
def test_praat_reads_back_every_word_once_over_the_whole_time(tmp_path_factory, words, milliseconds):
    transcript = made_up(words)
    path = tmp_path_factory.mktemp("grid") / "a.TextGrid"
    duration_s = max([milliseconds / 1000, *(word.end_s for word in transcript.words)])
    span = [Span("PATIENT", transcript.words[0].char_start, transcript.words[0].char_end)] if words else []
    path.write_text(textgrid(transcript, span, duration_s), encoding="utf-8")
    grid = praat.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="error")
    assert grid.tierNames == ("words", "entities")
    for name, labels in (("words", [w.text for w in transcript.words]), ("entities", [s.type for s in span])):
        entries = grid.getTier(name).entries
        assert " ".join(entry.label for entry in entries if entry.label).split(" ") == (labels or [""])
        assert entries[0].start == 0 and entries[-1].end == duration_s
        assert all(one.end == two.start for one, two in pairwise(entries))


def test_a_words_interval_is_its_time(tmp_path):
    path = tmp_path / "a.TextGrid"
    path.write_text(textgrid(TALK, SPANS, 9.0), encoding="utf-8")
    grid = praat.openTextgrid(str(path), includeEmptyIntervals=False)
    assert (0.8, 1.4, "Lee") in [tuple(entry) for entry in grid.getTier("words").entries]
    assert [tuple(entry) for entry in grid.getTier("entities").entries] == [
        (0.8, 1.4, "PATIENT"),
        (5.6, 6.2, "CITY"),
        (7.2, 8.6, "DATE"),
    ]
    assert not re.search(r"[^\x00-\x7f]", textgrid(TALK, SPANS, 9.0).replace("台", "").replace("北", ""))
