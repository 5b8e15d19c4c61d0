"""Recordings of any length go piece by piece, each in its own language, and come back as one transcript in time."""

import numpy as np
import pytest

from pipeline.settings import DecodingSettings
from pipeline.speech import transcription
from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.transcription import SILENCE, joined, split, transcribe, transcribe_english
from pipeline.speech.voice import Piece as Part
from pipeline.speech.words import Piece, Transcript, transcript_from_pieces

SETTINGS = DecodingSettings()


class Writes:
    """An ASR model that writes a text by the loudness of a piece, a second after its beginning."""

    def __init__(self, name: str, texts: dict[float, str]):
        self.name, self.texts, self.heard = name, texts, 0

    def transcribe(self, batch):
        self.heard += len(batch)
        texts = [self.texts[round(float(np.abs(samples).max()), 1)] for samples in batch]
        return [transcript_from_pieces([Piece(text, 1.0, 2.0)], 3.0, self.name) for text in texts]


def recording(*levels: float) -> np.ndarray:
    return np.concatenate([np.full(5 * SAMPLE_RATE, level, np.float32) for level in levels])


@pytest.fixture()
def pieces_of_five_seconds(monkeypatch):
    def find(samples, threshold):
        size = 5 * SAMPLE_RATE
        every = [Part(start, min(start + size, len(samples))) for start in range(0, len(samples), size)]
        return [piece for piece in every if np.abs(samples[piece.start : piece.end]).max() > 0.05]

    monkeypatch.setattr(transcription, "find_pieces", find)
    monkeypatch.setattr(transcription, "WINDOW_S", 5.0)


WHISPER = {0.1: "hello there", 0.2: "王小明", 0.3: "早安", 0.4: ""}
PARAKEET = {0.1: "Hello, there.", 0.4: "Yes."}


def test_each_piece_is_written_in_its_own_language_and_has_the_times_of_the_recording(pieces_of_five_seconds):
    whisper, parakeet = Writes("whisper", WHISPER), Writes("parakeet", PARAKEET)
    batch = [recording(0.1, 0.0, 0.2, 0.3, 0.1), recording(0.2, 0.3), recording(0.1), recording(0.0)]
    first = transcribe(whisper, batch, SETTINGS)
    assert [each.text for each in first] == ["hello there 王小明早安 hello there", "王小明早安", "hello there", ""]
    assert [each.recognizer for each in first] == ["whisper", "whisper", "whisper", SILENCE]
    assert whisper.heard == 7
    last = transcribe_english(parakeet, batch, first, SETTINGS)
    assert [each.text for each in last] == ["Hello, there. 王小明早安 Hello, there.", "王小明早安", "Hello, there.", ""]
    assert last[0].recognizer == "parakeet+whisper" and parakeet.heard == 3
    for each in last:
        assert all(each.text[word.char_start : word.char_end] == word.text for word in each.words)
        assert [word.start_s for word in each.words] == sorted(word.start_s for word in each.words)
    assert {word.text: word.start_s for word in last[0].words if word.text in "王早"} == {"王": 11.0, "早": 16.0}
    assert [word.start_s for word in last[0].words if word.text == "Hello,"] == [1.0, 21.0]


def test_where_parakeet_writes_what_whisper_missed_it_stands_at_its_time(pieces_of_five_seconds):
    batch = [recording(0.2, 0.4, 0.3)]
    first = transcribe(Writes("whisper", WHISPER), batch, SETTINGS)
    (last,) = transcribe_english(Writes("parakeet", PARAKEET), batch, first, SETTINGS)
    assert last.text == "王小明 Yes. 早安" and {w.text: w.start_s for w in last.words}["Yes."] == 6.0


def test_what_is_split_and_joined_is_the_same():
    parts = [(0.0, "Mr. Lee said"), (10.0, "王小明早安"), (20.0, "twice daily"), (30.0, "")]
    made = [
        (start, transcript_from_pieces([Piece(text, 0.5, 3.0)] if text else [], 5.0, "whisper"))
        for start, text in parts
    ]
    whole = joined(made)
    assert whole.text == "Mr. Lee said 王小明早安 twice daily"
    pieces = [Part(int(start * SAMPLE_RATE), int((start + 5) * SAMPLE_RATE)) for start, _ in parts]
    assert [part.text for part in split(whole, pieces)] == [text for _, text in parts]
    assert joined([(0.0, part) for part in split(whole, pieces)]).words == whole.words


def test_nothing_joined_is_silence():
    assert joined([]) == Transcript("", [], SILENCE)
