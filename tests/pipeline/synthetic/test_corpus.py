"""The made-up clinic as a corpus: the competition's layout, with exact times."""

import hashlib

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from pipeline.corpus.folders import read_folder
from pipeline.settings import DecodingSettings
from pipeline.speech.audio import decode
from pipeline.synthetic import corpus as synthetic
from pipeline.synthetic.espeak import speak

SIZES = {"train1": 30, "train2": 10, "valid": 6, "test": 40}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clinic")
    synthetic.make(folder, synthetic.utterances(SIZES, seed=3))
    return folder


def rows(corpus, name, table):
    return pq.read_table(corpus / name / f"{table}.parquet").to_pylist()


def test_each_part_is_a_folder_of_the_competition(corpus):
    for name, size in SIZES.items():
        folder = read_folder(str(corpus / name), "train", strict=True)
        assert len(folder.transcripts) == len(folder.audio) == size
        assert len(folder.entities) == len(rows(corpus, name, "entities"))


def test_no_sentence_is_in_two_folders():
    drawn = synthetic.utterances({"train1": 2000, "train2": 2000, "valid": 100, "test": 100}, seed=3)
    texts = [{item.sentence.text for item in some} for some in drawn.values()]
    assert len(set.union(*texts)) == sum(map(len, texts))


def test_words_are_all_of_the_text_and_lie_in_order_within_the_recording(corpus):
    for name in SIZES:
        folder = read_folder(str(corpus / name), "train", strict=True)
        for row in rows(corpus, name, "transcripts"):
            words = row["words"]
            assert "".join(word["text"] for word in words) == row["text"].replace(" ", "")
            times = [time for word in words for time in (word["start_s"], word["end_s"])]
            assert times == sorted(times)
            audio = decode(folder.audio[row["recording_id"]], DecodingSettings())
            assert times[0] >= 0 and times[-1] <= audio.duration_s <= synthetic.LONGEST_S + 0.01


def test_entities_have_the_times_of_their_words(corpus):
    words = {row["recording_id"]: row["words"] for row in rows(corpus, "test", "transcripts")}
    for entity in rows(corpus, "test", "entities"):
        own = words[entity["recording_id"]]
        inside = [
            word for word in own if entity["char_start"] < word["char_end"] and word["char_start"] < entity["char_end"]
        ]
        assert (entity["start_s"], entity["end_s"]) == (inside[0]["start_s"], inside[-1]["end_s"])


@pytest.mark.parametrize(
    ("text", "voice"), [("Please wait, the doctor is here.", "en-us+f3"), ("你好我是護理師請等一下", "cmn+m3")]
)
def test_a_word_begins_and_ends_where_it_sounds(text, voice):
    """Cut out by its times, a word sounds; the pause behind the comma, cut out by its neighbours' times, does not."""
    speech = speak(text, voice, rate=160, pitch=50)

    def loudness(start_s, end_s):
        cut = speech.samples[round(start_s * speech.sample_rate) : round(end_s * speech.sample_rate)]
        return float(np.sqrt(np.mean(cut**2)))

    assert all(loudness(word.start_s, word.end_s) > 0.01 for word in speech.words)
    pauses = [
        (a.end_s, b.start_s) for a, b in zip(speech.words, speech.words[1:], strict=False) if b.start_s > a.end_s + 0.05
    ]
    assert len(pauses) == text.count(",")
    assert all(loudness(*pause) < 0.002 for pause in pauses)


def test_a_word_of_several_characters_shares_its_time_by_syllables():
    ni, hao, *_ = speak("你好嗎", "cmn", rate=160, pitch=50).words
    assert ni.end_s == hao.start_s
    assert 0.1 < ni.end_s - ni.start_s < 0.4 and 0.1 < hao.end_s - hao.start_s < 0.4


def test_some_recordings_are_stereo_or_of_another_sample_rate(corpus):
    kinds = {(info.samplerate, info.channels) for info in (soundfile.info(file) for file in corpus.rglob("*.flac"))}
    assert {rate for rate, _ in kinds} == {8000, 16000, 44100}
    assert {channels for _, channels in kinds} == {1, 2}


def test_the_same_seed_makes_the_same_files(corpus, tmp_path):
    synthetic.make(tmp_path / "again", synthetic.utterances(SIZES, seed=3))

    def digests(folder):
        files = (file for file in folder.rglob("*") if file.is_file())
        return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    assert digests(tmp_path / "again") == digests(corpus)
