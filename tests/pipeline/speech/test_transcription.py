"""Recordings of any length go segment by segment, each in its own language, and come back as one transcript in time."""

import numpy as np

from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.transcription import SILENCE, is_for_parakeet, joined, transcribe, transcribe_english
from pipeline.speech.voice import Segment
from pipeline.speech.words import Piece, Transcript, transcript_from_pieces


class Writes:
    """An ASR model that writes a text by the loudness of a segment, a second after its beginning."""

    def __init__(self, name: str, texts: dict[float, str]):
        self.name, self.texts, self.heard = name, texts, 0

    def transcribe(self, batch):
        self.heard += len(batch)
        texts = [self.texts[round(float(np.abs(samples).max()), 1)] for samples in batch]
        # What is left to the other model is empty and nobody's.
        return [
            Transcript("") if text == "LEFT" else transcript_from_pieces([Piece(text, 1.0, 2.0)], 3.0, self.name)
            for text in texts
        ]


def recording(*levels: float) -> tuple[np.ndarray, list[Segment]]:
    """Make a recording of five seconds a level, with a segment for each level above 0."""
    size = 5 * SAMPLE_RATE
    samples = np.concatenate([np.full(size, level, np.float32) for level in levels])
    return samples, [Segment(i * size, (i + 1) * size) for i, level in enumerate(levels) if level]


def heard(whisper: Writes, parakeet: Writes, *recordings: tuple[np.ndarray, list[Segment]]) -> list[Transcript]:
    """Transcribe as the stream does."""
    batch, segments = [samples for samples, _ in recordings], [some for _, some in recordings]
    of_both = transcribe_english(parakeet, batch, segments, transcribe(whisper, batch, segments))
    return [joined(some, parts) for some, parts in zip(segments, of_both, strict=True)]


WHISPER = {0.1: "hello there", 0.2: "王小明", 0.3: "早安", 0.4: "", 0.5: "LEFT"}
PARAKEET = {0.1: "Hello, there.", 0.4: "Yes.", 0.5: "Good morning."}


def test_each_segment_is_written_in_its_own_language_and_has_the_times_of_the_recording():
    whisper, parakeet = Writes("whisper", WHISPER), Writes("parakeet", PARAKEET)
    made = heard(
        whisper, parakeet, recording(0.1, 0.0, 0.2, 0.3, 0.1), recording(0.2, 0.3), recording(0.1), recording(0.0)
    )
    assert [each.text for each in made] == ["Hello, there. 王小明早安 Hello, there.", "王小明早安", "Hello, there.", ""]
    assert [each.recognizer for each in made] == ["parakeet+whisper", "whisper", "parakeet", SILENCE]
    assert whisper.heard == 7 and parakeet.heard == 3
    for each in made:
        assert all(each.text[word.char_start : word.char_end] == word.text for word in each.words)
        assert [word.start_s for word in each.words] == sorted(word.start_s for word in each.words)
    assert {word.text: word.start_s for word in made[0].words if word.text in "王早"} == {"王": 11.0, "早": 16.0}
    assert [word.start_s for word in made[0].words if word.text == "Hello,"] == [1.0, 21.0]


def test_what_whisper_left_or_missed_is_parakeets_and_stands_at_its_time():
    (made,) = heard(Writes("whisper", WHISPER), Writes("parakeet", PARAKEET), recording(0.2, 0.4, 0.3, 0.5))
    assert made.text == "王小明 Yes. 早安 Good morning."
    assert {word.text: word.start_s for word in made.words}["Yes."] == 6.0
    (nothing,) = heard(Writes("whisper", WHISPER), Writes("parakeet", {0.5: ""}), recording(0.5))
    assert (nothing.text, nothing.recognizer) == ("", "parakeet")


def test_where_parakeet_writes_nothing_whispers_text_stays():
    (made,) = heard(Writes("whisper", WHISPER), Writes("parakeet", {0.1: ""}), recording(0.1))
    assert (made.text, made.recognizer) == ("hello there", "whisper")


def test_only_recordings_with_an_english_segment_are_for_parakeet():
    assert is_for_parakeet([Transcript("王小明"), Transcript("hello")]) and is_for_parakeet([Transcript("")])
    assert not is_for_parakeet([Transcript("王小明 hello")]) and not is_for_parakeet([])


def test_notes_say_which_seconds_they_are_about_and_the_confidence_is_a_mean():
    parts = [Transcript("a", [], "whisper", 0.5), Transcript("", [], "whisper", None, "dropped"), Transcript("b")]
    segments = [Segment(SAMPLE_RATE * start, SAMPLE_RATE * (start + 4)) for start in (0, 5, 10)]
    made = joined(segments, parts)
    assert (made.text, made.confidence, made.note) == ("a b", 0.5, "5.0–9.0 s: dropped")


def test_nothing_joined_is_silence():
    assert joined([], []) == Transcript("", [], SILENCE)
