"""Recordings of any length go segment by segment, each in its own language, and come back as one transcript in time."""

import numpy as np

from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.transcription import SILENCE, is_for_parakeet, joined, transcribe, transcribe_english
from pipeline.speech.voice import Segment
from pipeline.speech.words import Piece, Transcript, transcript_from_pieces

SIZE = 5 * SAMPLE_RATE


class Writes:
    """An ASR model that writes a text by the loudness of each five seconds of a segment, from their first second on."""

    def __init__(self, name: str, texts: dict[float, str]):
        self.name, self.texts, self.heard = name, texts, []

    def english(self, batch):
        return [
            float(not any(character >= "\u4e00" for text in self.said(samples) for character in text))
            for samples in batch
        ]

    def transcribe(self, batch, english=None):
        self.heard += [len(samples) / SAMPLE_RATE for samples in batch]
        return [self.write(self.said(samples), len(samples) / SAMPLE_RATE) for samples in batch]

    def said(self, samples):
        levels = [
            round(float(np.abs(samples[first : first + SIZE]).max()), 1) for first in range(0, len(samples), SIZE)
        ]
        return [self.texts.get(level, "") for level in levels]

    def write(self, texts: list[str], seconds: float) -> Transcript:
        # What is left to the other model is empty and nobody's.
        pieces = [Piece(f"{text} ", 5 * i + 1.0, 5 * i + 5.0) for i, text in enumerate(texts) if text]
        return Transcript("") if "LEFT" in texts else transcript_from_pieces(pieces, seconds, self.name)


def recording(*levels: float, silence_s: float = 31.0) -> tuple[np.ndarray, list[Segment]]:
    """Make a recording of five seconds a level, of which those above 0 are speech, and silence behind them."""
    samples = np.concatenate([np.full(SIZE, level, np.float32) for level in levels])
    speech = [Segment(i * SIZE, (i + 1) * SIZE) for i, level in enumerate(levels) if level]
    return np.pad(samples, (0, int(silence_s * SAMPLE_RATE))), speech


def heard(whisper: Writes, parakeet: Writes, *recordings: tuple[np.ndarray, list[Segment]]) -> list[Transcript]:
    """Transcribe as the stream does."""
    batch, speech = [samples for samples, _ in recordings], [some for _, some in recordings]
    segments, written = transcribe(whisper, batch, speech)
    of_both = transcribe_english(parakeet, batch, segments, written)
    return [joined(some, parts) for some, parts in zip(segments, of_both, strict=True)]


WHISPER = {0.1: "hello there", 0.2: "王小明", 0.3: "早安", 0.5: "LEFT"}
PARAKEET = {0.1: "Hello, there.", 0.4: "Yes.", 0.5: "Good morning."}


def test_each_part_of_a_long_recording_is_written_in_its_own_language_and_has_the_times_of_the_recording():
    whisper, parakeet = Writes("whisper", WHISPER), Writes("parakeet", PARAKEET)
    made = heard(
        whisper, parakeet, recording(0.1, 0.0, 0.2, 0.3, 0.1), recording(0.2, 0.3), recording(0.1), recording(0.0)
    )
    assert [each.text for each in made] == [
        "Hello, there. 王小明 早安 Hello, there.",
        "王小明 早安",
        "Hello, there.",
        "",
    ]
    assert [each.recognizer for each in made] == ["parakeet+whisper", "whisper", "parakeet", SILENCE]
    assert sorted(whisper.heard) == [5, 5, 5, 10, 10] and sorted(parakeet.heard) == [5, 5, 5], "neighbours go together"
    for each in made:
        assert all(each.text[word.char_start : word.char_end] == word.text for word in each.words)
        assert [word.start_s for word in each.words] == sorted(word.start_s for word in each.words)
    assert {word.text: word.start_s for word in made[0].words if word.text in "王早"} == {"王": 11.0, "早": 16.0}
    assert [word.start_s for word in made[0].words if word.text == "Hello,"] == [1.0, 21.0]


def test_a_recording_that_fits_the_window_is_one_segment():
    whisper = Writes("whisper", WHISPER)
    (made,) = heard(whisper, Writes("parakeet", PARAKEET), recording(0.2, 0.0, 0.3, silence_s=1.0))
    assert made.text == "王小明 早安" and whisper.heard == [16.0]


def test_what_whisper_left_or_missed_is_parakeets_and_stands_at_its_time():
    (made,) = heard(Writes("whisper", WHISPER), Writes("parakeet", PARAKEET), recording(0.2, 0.0, 0.4, 0.0, 0.3, 0.5))
    assert made.text == "王小明 Yes. 早安 Good morning."
    assert {word.text: word.start_s for word in made.words}["Yes."] == 11.0
    (nothing,) = heard(Writes("whisper", WHISPER), Writes("parakeet", {0.5: ""}), recording(0.5))
    assert (nothing.text, nothing.recognizer) == ("", "parakeet")


def test_where_a_segment_ends_in_speech_that_was_not_written_that_end_is_transcribed_again():
    class Stops(Writes):
        """Writes nothing behind the first ten seconds of a segment."""

        def write(self, texts, seconds):
            return super().write(texts[:2], seconds)

    whisper = Stops("whisper", WHISPER | {0.6: "再見"})
    (made,) = heard(whisper, Writes("parakeet", PARAKEET), recording(0.2, 0.3, 0.6, 0.0, 0.2))
    assert made.text == "王小明 早安再見王小明"
    assert [word.start_s for word in made.words if word.text in "再王"] == [1.0, 11.0, 21.0]
    assert whisper.heard == [25.0, 15.0, 5.0], "from the end of the last word on"


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
