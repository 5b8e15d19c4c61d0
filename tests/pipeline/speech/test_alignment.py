"""Forced alignment gives the words of a text the times at which a CTC model hears them, and changes nothing else."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UserError
from pipeline.speech.alignment import Aligned, Aligner, Token, token_frames, with_times
from pipeline.speech.transcription import load_whisper
from pipeline.speech.words import Piece, Transcript, transcript_from_pieces
from tests.asr_models import check_transcript
from tests.tiny_asr_models import build_ctc

TEXT = "Good morning, 王先生 takes 3 tablets."
CHARACTERS = " abcdegiklmnorst先生马"


@pytest.fixture(scope="module", params=["characters", "pieces"])
def aligner(request, tmp_path_factory: pytest.TempPathFactory) -> Aligner:
    file = tmp_path_factory.mktemp("models") / "ctc.nemo"
    build_ctc(file, CHARACTERS if request.param == "characters" else "")
    return Aligner(str(file), "cpu")


@pytest.fixture(scope="module")
def by_characters(tmp_path_factory: pytest.TempPathFactory) -> Aligner:
    file = tmp_path_factory.mktemp("models") / "ctc.nemo"
    build_ctc(file, CHARACTERS)
    return Aligner(str(file), "cpu")


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, 16_000 * 8).astype(np.float32)


def written(text: str, duration_s: float = 8.0) -> Transcript:
    """Return a transcript with a confidence, and all of its words at its beginning."""
    pieces = [Piece(character, 0.0, 0.1, 0.5) for character in text]
    return replace(transcript_from_pieces(pieces, duration_s, "whisper"), confidence=0.5, note="a note")


def untimed(transcript: Transcript) -> Transcript:
    return replace(transcript, words=[replace(word, start_s=0.0, end_s=0.0) for word in transcript.words])


def log_probs(best: str, vocabulary: str) -> torch.Tensor:
    """Return log probabilities in which one token of each frame is the likeliest, ``-`` the blank."""
    scores = torch.zeros(len(best), len(vocabulary) + 1)
    for frame, character in enumerate(best):
        scores[frame, (vocabulary + "-").index(character)] = 5.0
    return scores.log_softmax(-1)


# What is aligned


@pytest.mark.parametrize(
    ("best", "text", "frames"),
    [
        ("--a-bb--c-", "abc", [(2, 3), (4, 6), (8, 9)]),
        ("aab-bc", "abbc", [(0, 2), (2, 3), (4, 5), (5, 6)]),  # a blank between two that are the same
        ("--ax-c", "abc", [(2, 3), (3, 4), (5, 6)]),  # what is heard in the place of b is something else
        ("abc", "abc", [(0, 1), (1, 2), (2, 3)]),
        ("ab", "abc", []),  # more tokens than frames
        ("aa", "aa", []),  # and no frame for the blank between
        ("ab", "", []),
    ],
)
def test_each_token_has_the_frames_of_the_likeliest_path(best, text, frames):
    assert token_frames([log_probs(best, "abcx")], [["abcx".index(c) for c in text]]) == [frames]


def test_texts_of_any_length_are_aligned_together():
    heard = [log_probs(best, "abc") for best in ("--a-bb--c-", "a", "ab", "-c-")]
    tokens = [[0, 1, 2], [0], [0, 1, 2], [2]]
    assert token_frames(heard, tokens) == [[(2, 3), (4, 6), (8, 9)], [(0, 1)], [], [(1, 2)]]
    assert token_frames([], []) == []


def test_a_word_lasts_from_its_first_token_to_a_moment_after_its_last():
    words = with_times(
        written("ab, 醫師"), [Token(0, 0, 1), Token(1, 1, 2), Token(2, 3, 6)], [(1, 1.5), (2, 3), (4, 6)], 8
    )
    assert [(word.text, word.start_s, word.end_s) for word in words.words] == [
        ("ab,", 1.0, 3.16),
        ("醫", 4.0, 5.0),  # one token of two words
        ("師", 5.0, 6.16),
    ]


def test_a_word_never_lasts_into_the_next_or_beyond_the_segment():
    transcript = with_times(written("a b"), [Token(0, 0, 1), Token(1, 2, 3)], [(1, 1.5), (1.6, 7.9)], 8)
    assert [(word.start_s, word.end_s) for word in transcript.words] == [(1.0, 1.6), (1.6, 8.0)]


def test_a_word_without_a_token_stands_between_its_neighbours():
    transcript = with_times(written("a 12 b"), [Token(0, 0, 1), Token(1, 5, 6)], [(1, 1.5), (2, 3)], 8)
    assert [(word.start_s, word.end_s) for word in transcript.words] == [(1.0, 1.5), (1.5, 2.0), (2.0, 3.16)]


def test_many_words_without_a_token_displace_none_that_has_one():
    transcript = with_times(written("a 1 2 3 b 4 5"), [Token(0, 0, 1), Token(1, 8, 9)], [(1, 1.5), (3, 3.5)], 8)
    assert [(word.start_s, word.end_s) for word in transcript.words] == [
        *((1.0, 1.5), (1.5, 2.0), (2.0, 2.5), (2.5, 3.0)),
        *((3.0, 3.5), (3.5, 4.5), (4.5, 5.5)),
    ]


def test_a_character_that_the_model_does_not_have_is_its_small_or_its_simplified_one(by_characters):
    tokens = by_characters._vocabulary.tokens("Gä馬")
    assert [(CHARACTERS[token.id], token.char_start) for token in tokens] == [("g", 0), ("马", 2)]


def test_words_get_their_times_where_the_model_hears_them(by_characters, sound, monkeypatch):
    frames = ["-"] * 100
    for place, character in zip((10, 20, 30, 40), "to先生", strict=True):
        frames[place] = character
    heard = [log_probs("".join(frames), CHARACTERS)]
    monkeypatch.setattr(by_characters, "_hear", lambda batch: (heard, 0.08))
    (transcript,) = by_characters.align([sound], [written("To 先生")])
    assert [(word.start_s, word.end_s) for word in transcript.words] == [(0.8, 1.84), (2.4, 2.64), (3.2, 3.44)]


# What stays


def test_only_times_change_and_they_are_in_order_inside_the_segment(aligner, sound):
    before = written(TEXT)
    (after,) = aligner.align([sound], [before])
    check_transcript(after, sound)
    assert after != before and untimed(after) == untimed(before)
    assert all(first.start_s < second.start_s for first, second in pairwise(after.words))


def test_a_transcript_without_words_gets_them(aligner, sound):
    (after,) = aligner.align([sound], [Transcript(TEXT, recognizer="given")])
    (timed,) = aligner.align([sound], [written(TEXT)])
    assert [(word.text, word.start_s, word.end_s) for word in after.words] == [
        (word.text, word.start_s, word.end_s) for word in timed.words
    ]


@pytest.mark.parametrize("text", ["", "§§ §", "ΩΨΞ"])
def test_a_text_of_which_nothing_is_known_keeps_its_times(by_characters, sound, text):
    assert by_characters.align([sound], [written(text)]) == [written(text)]


def test_a_segment_that_is_too_short_for_its_text_keeps_its_times(aligner):
    before = written(TEXT, 0.1)
    assert aligner.align([np.zeros(1600, np.float32)], [before]) == [before]


def test_batch_mates_change_nothing(aligner, sound):
    batch = [sound, sound[:1600], sound[:40_000], sound[16_000:]]
    transcripts = [
        written(text, len(audio) / 16_000) for text, audio in zip([TEXT, "to", "", "生 to"], batch, strict=True)
    ]
    alone = [aligner.align([audio], [transcript])[0] for audio, transcript in zip(batch, transcripts, strict=True)]
    assert aligner.align(batch, transcripts) == alone
    assert aligner.align(batch[::-1], transcripts[::-1]) == alone[::-1]
    assert aligner.align([], []) == []


# Its place in the system


class Writes:
    """An ASR model that always writes the same."""

    name = "whisper"

    def english(self, batch):
        return [0.25 for _ in batch]

    def transcribe(self, batch, english=None):
        return [written(TEXT) for _ in batch]


def test_an_aligned_model_writes_and_hears_languages_as_before(by_characters, sound):
    model = Aligned(Writes(), by_characters)
    assert (model.name, model.english([sound])) == ("whisper", [0.25])
    assert model.transcribe([sound]) == by_characters.align([sound], [written(TEXT)])


def test_the_setting_aligner_wraps_whisper(tiny_settings, sound, tmp_path):
    build_ctc(tmp_path / "ctc.nemo")
    models = replace(tiny_settings.models, aligner=str(tmp_path / "ctc.nemo"))
    plain, aligned = load_whisper(tiny_settings), load_whisper(replace(tiny_settings, models=models))
    before, after = plain.transcribe([sound])[0], aligned.transcribe([sound])[0]
    assert before != after and untimed(before) == untimed(after)


def test_a_model_without_a_ctc_head_is_refused_in_one_sentence(tiny_parakeet: Path):
    with pytest.raises(UserError, match=r"^--aligner .*parakeet\.nemo cannot align: it has no CTC head .*\.$"):
        Aligner(str(tiny_parakeet), "cpu")
