"""Parakeet through NeMo: text and timed words, the same in any company."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.settings import ParakeetSettings
from pipeline.speech.parakeet import Parakeet, pieces_of
from tests.asr_models import check_transcript


@pytest.fixture(scope="module")
def parakeet(tiny_parakeet: Path) -> Parakeet:
    return Parakeet(str(tiny_parakeet), ParakeetSettings(), "cpu")


def test_words_cover_the_text_and_lie_in_the_recording(parakeet, sounds, long_sound):
    transcripts = parakeet.transcribe([*sounds, long_sound])
    for transcript, audio in zip(transcripts, [*sounds, long_sound], strict=True):
        check_transcript(transcript, audio)
        assert transcript.words
        assert transcript.recognizer == "parakeet"


def test_batch_mates_change_neither_text_nor_words(parakeet, sounds, long_sound):
    batch = [*sounds, long_sound]
    alone = [parakeet.transcribe([audio])[0] for audio in batch]
    assert parakeet.transcribe(batch) == alone
    assert parakeet.transcribe(batch[::-1]) == alone[::-1]


def test_real_speech_in_a_batch_and_alone(parakeet, speech):
    alone = [parakeet.transcribe([audio])[0] for audio in speech]
    assert parakeet.transcribe(speech) == alone


def test_the_transcript_is_the_hypothesis(parakeet, sounds):
    hypotheses = parakeet._model.transcribe(
        [audio for audio in sounds if len(audio) > 16_000], batch_size=8, timestamps=True, verbose=False
    )
    transcripts = parakeet.transcribe([audio for audio in sounds if len(audio) > 16_000])
    assert [transcript.text for transcript in transcripts] == [hypothesis.text.strip() for hypothesis in hypotheses]


def test_words_of_a_short_recording_start_where_they_are_spoken(parakeet, sounds):
    # NeMo fills up to a second with silence on both sides: the times must not count what stands before.
    padded = np.pad(sounds[1], (0, 8000))
    short, filled = parakeet.transcribe([sounds[1]])[0], parakeet.transcribe([padded])[0]
    assert short.text == filled.text
    assert [word.start_s for word in short.words] == [min(word.start_s, 0.5) for word in filled.words]


def test_no_recording_gives_no_transcript(parakeet):
    assert parakeet.transcribe([]) == []


def test_half_precision_transcribes_too(tiny_parakeet, sounds):
    parakeet = Parakeet(str(tiny_parakeet), replace(ParakeetSettings(), dtype="bfloat16"), "cpu")
    for transcript, audio in zip(parakeet.transcribe(sounds), sounds, strict=True):
        check_transcript(transcript, audio)


def test_transcripts_reach_no_log(parakeet, sounds, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    text = parakeet.transcribe([sounds[4]])[0].text
    printed = capfd.readouterr()
    assert text not in caplog.text + printed.out + printed.err


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("a bc", ["a", "bc"], ["a ", "bc"]),
        ("so , yes", ["so,", "yes"], ["so , ", "yes"]),  # NeMo moved the comma
        ("so, yes", ["so", ",", "yes"], ["so", ", ", "yes"]),
        ("one two three", ["one", "two"], ["one ", "two three"]),  # a word is missing: no text is lost
        ("", [], []),
    ],
)
def test_pieces_keep_the_text_whatever_nemo_made_of_the_words(text, words, expected):
    timed = [{"word": word, "start": float(i), "end": i + 1.0} for i, word in enumerate(words)]
    assert [piece.text for piece in pieces_of(text, timed)] == expected
