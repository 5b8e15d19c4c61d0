"""The language is heard first: what is English is left or written in English, what is in doubt is written twice."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.settings import IDENTIFY, WhisperSettings
from pipeline.speech.routing import Router, guarded
from pipeline.speech.words import Piece, Transcript, transcript_from_pieces

SETTINGS = WhisperSettings(language=IDENTIFY, batch_seconds=60.0)


class Hears:
    """A Whisper that is as sure of English as a segment is loud."""

    def __init__(self, name: str = "whisper", better: str = "en"):
        self.name, self.better = name, better
        self.encoded, self.written = [], []

    def encode(self, batch, window_s=30.0):
        self.encoded += [window_s] * len(batch)
        return [float(samples[0]) for samples in batch]

    def english(self, encoded):
        return [round(value, 3) for value in encoded]

    def write(self, encoded, durations_s, language):
        self.written.append((language, len(encoded)))
        text = {"en": "hello", "zh": "早安"}[language]
        confidence = 0.9 if language == self.better else 0.4
        return [
            replace(transcript_from_pieces([Piece(text, 0.0, 0.5)], seconds, self.name), confidence=confidence)
            for seconds in durations_s
        ]


def segments(*levels: float) -> list[np.ndarray]:
    return [np.full(16_000, level, np.float32) for level in levels]


def test_each_segment_is_encoded_once_and_written_in_the_language_heard():
    whisper = Hears()
    router = Router(whisper, SETTINGS, whisper)
    assert [each.text for each in router.transcribe(segments(0.95, 0.02, 0.99))] == ["hello", "早安", "hello"]
    assert whisper.encoded == [30.0] * 3 and sorted(whisper.written) == [("en", 2), ("zh", 1)]


def test_english_is_left_to_the_other_model_and_never_written():
    whisper = Hears()
    router = Router(whisper, SETTINGS, whisper, leaves_english=True)
    left, written = router.transcribe(segments(0.95, 0.02))
    assert left == Transcript("") and written.text == "早安" and whisper.written == [("zh", 1)]


@pytest.mark.parametrize(("better", "text"), [("en", "hello"), ("zh", "早安")])
def test_in_doubt_both_are_written_and_the_likelier_stays(better, text):
    whisper = Hears(better=better)
    router = Router(whisper, SETTINGS, whisper, leaves_english=True)
    assert [each.text for each in router.transcribe(segments(0.6, 0.2))] == [text] * 2
    assert whisper.encoded == [10.0] * 2 + [30.0] * 2, "to hear and to write, once for both languages"
    assert sorted(whisper.written) == [("en", 2), ("zh", 2)]


def test_where_english_is_left_its_language_is_heard_in_a_window_of_its_length():
    whisper = Hears()
    router = Router(whisper, SETTINGS, whisper, leaves_english=True)
    lengths_s = (30.0, 19.5, 19.0, 9.5, 9.0)
    router.transcribe([np.full(int(16_000 * length_s), 0.95, np.float32) for length_s in lengths_s])
    assert sorted(whisper.encoded) == [10.0, 20.0, 20.0, 30.0, 30.0]
    assert router.transcribe([np.full(480_000, 0.05, np.float32)])[0].text == "早安"
    assert len(whisper.encoded) == 6, "what was heard in the whole window is written from it"


def test_in_doubt_a_text_in_both_scripts_stays_unless_the_other_is_clearly_likelier():
    class Mixes(Hears):
        def write(self, encoded, durations_s, language):
            text, confidence = {"en": ("Hello, good morning.", 0.87), "zh": ("Hello 早安", self.mixed)}[language]
            return [replace(timed(text), confidence=confidence) for _ in encoded]

    for mixed, stays in ((0.86, "Hello 早安"), (0.5, "Hello, good morning.")):
        whisper = Mixes()
        whisper.mixed = mixed
        assert Router(whisper, SETTINGS, whisper).transcribe(segments(0.4))[0].text == stays


def test_another_whisper_may_hear_and_this_one_writes_its_only_language():
    whisper, identifier = Hears(), Hears("identifier")
    router = Router(whisper, replace(SETTINGS, language="zh"), identifier, leaves_english=True)
    made = router.transcribe(segments(0.95, 0.02, 0.6))
    assert [each.text for each in made] == ["", "早安", "早安"]
    assert (identifier.encoded, identifier.written) == ([10.0] * 3, [])
    assert (whisper.encoded, whisper.written) == ([30.0] * 2, [("zh", 2)])


def test_without_an_identifier_everything_is_written_in_one_language():
    whisper = Hears()
    assert [each.text for each in Router(whisper, replace(SETTINGS, language="zh")).transcribe(segments(0.9, 0.1))] == [
        "早安"
    ] * 2
    assert whisper.written == [("zh", 2)]


def test_many_segments_go_in_batches_of_so_many_seconds():
    whisper = Hears()
    assert len(Router(whisper, SETTINGS, whisper).transcribe(segments(*[0.99] * 5))) == 5
    assert whisper.written == [("en", 2), ("en", 2), ("en", 1)], "a window of 30 s each"


def timed(text: str) -> Transcript:
    pieces = [Piece(f"{word} ", place, place + 1) for place, word in enumerate(text.split())]
    return transcript_from_pieces(pieces, 100.0, "whisper")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("the pain is " + "very " * 20, "the pain is very"),
        ("謝謝 收看 " + "謝謝 收看 " * 9, "謝謝 收看"),
        ("I see. " + "Thank you. " * 9 + "Thank", "I see. Thank you."),
        ("no no no no", "no no no no"),
        ("no no no no no no I am fine", "no no no no no no I am fine"),
        ("", ""),
    ],
)
def test_a_loop_at_the_end_is_cut_to_its_first_phrase(written, kept):
    made = guarded(timed(written), SETTINGS)
    assert made.text == kept and "".join(word.text for word in made.words) == kept.replace(" ", "")
    assert (made.note is not None) == (kept != timed(written).text)


def test_text_that_repeats_itself_in_another_way_is_dropped_with_a_reason():
    made = guarded(timed(" ".join(f"and then {number % 2} I said it again" for number in range(24))), SETTINGS)
    assert (made.text, made.words) == ("", []) and "repeats itself" in made.note
