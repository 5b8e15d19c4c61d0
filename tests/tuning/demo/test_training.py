"""The first trainings of the demo's recognisers: exact alignments, and trainings that go on where they stopped."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import torch

from pipeline.corpus import synthetic
from pipeline.settings import Parakeet as ParakeetSettings
from pipeline.speech.parakeet import Parakeet
from pipeline.speech.whisper import TransformersWhisper
from pipeline.speech.words import Transcript, Word
from tests.models import WHISPER_SETTINGS, check_transcript
from tuning.demo import parakeet, whisper
from tuning.demo.corpus import read_clips
from tuning.demo.parakeet_files import write_sentencepiece
from tuning.demo.scores import Heard, scores
from tuning.demo.whisper_examples import split_texts, timed_tokens
from tuning.demo.whisper_files import whisper_tokenizer


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clinic")
    synthetic.make(folder, {"phase1": 24, "phase2": 2, "valid": 4, "test": 2}, seed=5)
    return folder


@pytest.fixture(scope="module")
def clips(clinic):
    return read_clips(clinic / "phase1")


def test_tokens_of_a_transducer_have_the_times_of_their_letters(tmp_path):
    write_sentencepiece(tmp_path, ["abcd ef, abcd ef gh."] * 9, 20)
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    words = [Word("abcd", 0, 4, 1.0, 1.8), Word("ef,", 5, 8, 2.0, 2.4)]
    tokens, starts, ends = parakeet.timed_tokens(tokenizer, "abcd ef,", words)
    assert tokenizer.decode(tokens) == "abcd ef,"
    assert starts[0] == 1.0 and ends[-1] == pytest.approx(2.4)
    assert starts == sorted(starts) and all(start <= end for start, end in zip(starts, ends, strict=True))
    of_letter = [1.0, 1.2, 1.4, 1.6, None, 2.0, 2.2, 2.4]  # the comma lasts no time
    place = -1  # SentencePiece writes a space in front
    for piece, start in zip(tokenizer.encode("abcd ef,", out_type=str), starts, strict=True):
        first = place + piece.startswith("▁")
        if first < len(of_letter):
            assert start == pytest.approx(of_letter[first])
        place += len(piece)


def test_an_alignment_steps_through_all_frames_and_writes_each_token_where_it_begins():
    lot = np.random.default_rng(0)
    for _ in range(50):
        count, frames = int(lot.integers(1, 12)), int(lot.integers(12, 60))
        starts = np.sort(lot.uniform(0, frames * parakeet.FRAME_S, count))
        ends = np.minimum(starts + lot.uniform(0, 0.5, count), [*starts[1:], frames * parakeet.FRAME_S])
        tokens = list(range(count))
        states, late = parakeet.align(tokens, list(starts), list(ends), frames, blank=99)
        place, written = 0, []
        for frame, so_far, output, step in states:
            assert (frame, so_far) == (place, len(written))
            written += [output] if output != 99 else []
            assert 0 <= step <= parakeet.LONGEST_STEP and (step or output != 99)
            place += step
        assert (place, written) == (frames, tokens)
        begun = {output: frame for frame, _, output, _ in states if output != 99}
        assert all(abs(begun[token] * parakeet.FRAME_S - starts[token]) <= 0.0801 for token in tokens)
        assert all(frame == begun[output] + 1 for frame, _, output, _ in late)


def weights(file):
    return torch.load(file, weights_only=True)["model"]


def interrupted_and_again(module, loss, train, monkeypatch):
    """Train, interrupt after the first checkpoint, and train again; return how many steps the second training took."""
    taken = []
    compute = getattr(module, loss)

    def count(*arguments):
        taken.append(1)
        return compute(*arguments)

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "validate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train()
    with monkeypatch.context() as patch:
        patch.setattr(module, loss, count)
        train()
    return len(taken)


def test_a_parakeet_that_goes_on_is_the_one_that_never_stopped(clinic, tmp_path, clips, monkeypatch):
    monkeypatch.setattr(parakeet, "CHECK_EVERY", 2)
    monkeypatch.setattr(parakeet, "VOCABULARY", 60)  # so few texts have no more

    def train(name):
        parakeet.main(parakeet.Training(clinic, tmp_path / f"{name}.nemo", tmp_path / name, steps=4, batch=4))

    train("whole")
    assert interrupted_and_again(parakeet, "loss_of", lambda: train("halves"), monkeypatch) == 2
    one, other = (weights(tmp_path / name / "parakeet.pt") for name in ("whole", "halves"))
    assert all(torch.equal(one[name], other[name]) for name in one)

    model = Parakeet(str(tmp_path / "halves.nemo"), ParakeetSettings(), "cpu")
    samples = clips[0].samples()
    check_transcript(model.transcribe([samples])[0], samples)


def test_a_whisper_that_goes_on_is_the_one_that_never_stopped(clinic, tmp_path, clips, monkeypatch):
    monkeypatch.setattr(whisper, "CHECK_EVERY", 2)

    def train(name):
        work = tmp_path / name
        whisper.main(whisper.Training(clinic, tmp_path / f"{name}-model", work, steps=4, batch_s=20))

    train("whole")
    assert interrupted_and_again(whisper, "losses", lambda: train("halves"), monkeypatch) == 2
    one, other = (weights(tmp_path / name / "whisper.pt") for name in ("whole", "halves"))
    assert all(torch.equal(one[name], other[name]) for name in one)

    model = TransformersWhisper(str(tmp_path / "halves-model"), WHISPER_SETTINGS, "cpu")
    samples = clips[1].samples()
    check_transcript(model.transcribe([samples])[0], samples)


def test_tokens_of_whisper_have_the_times_of_their_characters(clips):
    mandarin = [clip for clip in clips if clip.language == "zh"][:20]
    tokenizer = whisper_tokenizer(split_texts([clip.text for clip in clips]), 600)
    for clip in mandarin:
        tokens, times = timed_tokens(clip.text, clip.words, tokenizer)
        assert tokenizer.decode(tokens) == clip.text
        assert times[0][0] == clip.words[0].start_s and times[-1][1] == clip.words[-1].end_s
        assert all(a[1] <= b[0] + 1e-6 or a == b for a, b in pairwise(times))


def test_scores_tell_what_was_heard_wrong_and_when(clips):
    said = next(clip for clip in clips if clip.language == "en" and len(clip.words) > 5)
    words = [replace(word, start_s=word.start_s + 0.04) for word in said.words]
    right = Heard(said, [said.words[1].text], "en", Transcript(said.text, words))
    shorter = Transcript(said.text[said.words[1].char_end :], words[2:])
    wrong = Heard(said, [said.words[1].text], "zh", shorter)
    measured = scores([right, wrong])
    assert measured["routed"] == 0.5
    assert measured["en"]["error_rate"] == pytest.approx(1 / len(said.words), abs=1e-3)
    assert measured["en"]["seen_names_right"] == 0.5 and measured["en"]["unseen_names_right"] is None
    assert measured["en"]["word_start_off_s"] == 0.04 and measured["en"]["word_end_off_s"] == 0
    assert measured["zh"]["clips"] == 0 and measured["zh"]["error_rate"] is None
