"""transcriptions.json: what a run wrote comes back, and what other programs wrote is understood."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import tables
from pipeline.errors import UserError
from pipeline.outputs import transcriptions
from pipeline.speech.words import Piece, transcript_from_pieces

PIECE = st.tuples(st.sampled_from([" Lee", " Lee's", " on", "王", "早", "安。", " May 5"]), st.integers(0, 900))


@settings(deadline=None)
@given(st.lists(st.lists(PIECE, max_size=8), min_size=1, max_size=3))
def test_what_a_run_wrote_comes_back_in_both_languages(tmp_path_factory, recordings):
    folder = str(tmp_path_factory.mktemp("run"))
    rows = []
    for number, pieces in enumerate(recordings):
        at, made = 0, []
        for text, milliseconds in pieces:
            made.append(Piece(text, at / 1000, (at + milliseconds) / 1000))
            at += milliseconds + 5
        transcript = transcript_from_pieces(made, at / 1000, transcriptions.RECOGNIZER)
        rows.append({"recording_id": str(number)} | transcript.to_row())
    transcripts = tables.from_rows(rows, tables.TRANSCRIPTS)
    ids = [{"recording_id": row["recording_id"], "path": f"/a.b/{row['recording_id']}.wav"} for row in rows]
    tables.write(tables.from_rows(ids, tables.RECORDINGS), f"{folder}/recordings")
    tables.write(transcripts, f"{folder}/transcripts")
    transcriptions.write_transcriptions_json(folder)
    assert transcriptions.read(f"{folder}/transcriptions_corrected.json").to_pylist() == transcripts.to_pylist()


def write(tmp_path, content) -> str:
    path = tmp_path / "transcriptions.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return str(path)


def test_words_with_spaces_or_of_several_characters_are_placed_and_those_not_in_the_text_left_out(tmp_path):
    words = [
        {"word": " 我們", "start": 0.0, "end": 0.4},
        {"word": "um", "start": 0.4, "end": 0.5},
        {"word": " Lee", "start": 0.5, "end": 1.0},
    ]
    path = write(tmp_path, {"7.b.wav": {"language": "zh", "text": "我們 Lee.", "words": words}})
    [row] = transcriptions.read(path).to_pylist()
    assert (row["recording_id"], row["language"], row["text"]) == ("7.b", "zh", "我們 Lee.")
    assert [(w["text"], w["start_s"], w["end_s"]) for w in row["words"]] == [
        ("我", 0.0, 0.2),
        ("們", 0.2, 0.4),
        ("Lee.", 0.5, 1.0),
    ]
    assert all(row["text"][w["char_start"] : w["char_end"]] == w["text"] for w in row["words"])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("no json", "is not JSON"),
        ([], "is no transcriptions.json"),
        ({"1.wav": {"text": "Ann"}}, "the entry 1.wav lacks"),
        ({"1.wav": {"text": "Ann", "words": [{"word": "Ann", "start": 2, "end": 1}]}}, "the entry 1.wav lacks"),
        ({"1.wav": {"text": "Ann", "words": [{"word": "Ann", "start": 0, "end": 1e999}]}}, "the entry 1.wav lacks"),
        ({"1.wav": {"text": "Ann", "words": [{"word": None, "start": 0, "end": 1}]}}, "the entry 1.wav lacks"),
        ({"a/1.wav": {"text": "Ann", "words": []}}, "entry 1 cannot be"),
        ({"1.wav": {"text": "Ann", "words": []}, "1.mp3": {"text": "", "words": []}}, "two entries .* recording 1"),
    ],
)
def test_a_file_of_another_form_is_an_error_without_its_text(tmp_path, content, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        transcriptions.read(write(tmp_path, content))
    assert "Ann" not in str(caught.value)


def test_a_word_without_times_gets_some_between_its_neighbours(tmp_path):
    words = [{"word": "Mr", "start": 0.0, "end": 1.0}, {"word": "Lee"}, {"word": "came", "start": 1.0, "end": 2.0}]
    entry = {"text": "Mr Lee came", "words": [*words[:1], words[1] | {"start": None, "end": None}, words[2]]}
    for of in (entry, entry | {"words": words}):
        (tmp_path / "t.json").write_text(json.dumps({"1.wav": of}), encoding="utf-8")
        (row,) = transcriptions.read(str(tmp_path / "t.json")).to_pylist()
        times = [(word["text"], word["start_s"], word["end_s"]) for word in row["words"]]
        assert times == [("Mr", 0.0, 0.4), ("Lee", 0.4, 1.0), ("came", 1.0, 2.0)]


def test_an_empty_export_is_an_error(tmp_path):
    (tmp_path / "t.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="is empty: it holds no transcript"):
        transcriptions.read(str(tmp_path / "t.json"))
