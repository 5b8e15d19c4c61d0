"""Whisper through Transformers: text and timed words, the same in any company."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import WhisperTokenizer
from transformers.generation.utils import GenerateEncoderDecoderOutput

from pipeline.errors import UserError
from pipeline.settings import IDENTIFY
from pipeline.speech.language import CJK
from pipeline.speech.routing import Router
from pipeline.speech.whisper import TransformersWhisper, load_whisper, pieces_from_tokens, token_to_bytes
from pipeline.speech.words import NO_SPEECH, Transcript
from tests.asr_models import WHISPER_SETTINGS, check_transcript, whisper_of


@pytest.fixture(scope="module")
def whisper(tiny_whisper: Path) -> TransformersWhisper:
    return TransformersWhisper(str(tiny_whisper), WHISPER_SETTINGS, "cpu")


@pytest.fixture(scope="module", params=[1, 3])
def any_beams(request, tiny_whisper: Path) -> Router:
    return whisper_of(tiny_whisper, replace(WHISPER_SETTINGS, beam_size=request.param))


def written(whisper: TransformersWhisper, *batch: np.ndarray, language: str = "zh") -> list[Transcript]:
    return whisper.write(whisper.encode(batch), [len(samples) / 16_000 for samples in batch], language)


@pytest.fixture
def prompts(whisper, monkeypatch) -> list[list[str]]:
    """What the decoder is given before it writes, as tokens: two equal prompts for each window, one for its text and
    one for the probability of no speech."""
    seen: list[list[str]] = []

    def look(module, arguments, keywords):
        ids = keywords["input_ids"]
        if ids.shape[1] > 1:
            seen.append(whisper._tokenizer.convert_ids_to_tokens(ids[0].tolist()))

    handle = whisper._model.model.decoder.register_forward_pre_hook(look, with_kwargs=True)
    yield seen
    handle.remove()


def test_words_cover_the_text_and_lie_in_the_recording(any_beams, sounds, long_sound):
    for transcript, audio in zip(any_beams.transcribe([*sounds, long_sound]), [*sounds, long_sound], strict=True):
        check_transcript(transcript, audio)
        assert transcript.words and transcript.recognizer == "whisper"


def test_one_recording_and_a_batch_give_the_same_text_and_words(any_beams, sounds, long_sound):
    batch = [*sounds, long_sound]
    alone = [any_beams.transcribe([audio])[0] for audio in batch]
    assert any_beams.transcribe(batch) == alone
    assert any_beams.transcribe(batch[::-1]) == alone[::-1]


def test_one_real_recording_and_a_batch_give_the_same_text_and_words(whisper, speech):
    assert written(whisper, *speech) == [written(whisper, audio)[0] for audio in speech]


def test_the_tiny_model_writes_chinese_for_some_sounds_and_latin_letters_for_others(whisper, sounds, long_sound):
    chinese = [bool(re.search(f"[{CJK}]", transcript.text)) for transcript in written(whisper, *sounds, long_sound)]
    assert any(chinese) and not all(chinese)


def test_a_tenth_of_a_second_is_transcribed(whisper):
    audio = np.random.default_rng(3).normal(0, 0.1, 1600).astype(np.float32)
    check_transcript(written(whisper, audio)[0], audio)


def test_a_long_recording_is_transcribed_window_by_window_to_its_end(whisper, long_sound, prompts):
    words = written(whisper, long_sound)[0].words
    assert len(prompts) / 2 >= 70 / 8
    assert {int(word.start_s // 10) for word in words} == set(range(7))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_language_is_forced(whisper, sounds, prompts, language):
    written(whisper, sounds[0], language=language)
    assert prompts == [["<|startoftranscript|>", f"<|{language}|>", "<|transcribe|>"]] * 2


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_likelier_of_the_two_languages_is_heard(tiny_whisper, sounds, monkeypatch, language):
    whisper = TransformersWhisper(str(tiny_whisper), replace(WHISPER_SETTINGS, language=IDENTIFY), "cpu")
    token = whisper._model.generation_config.lang_to_id[f"<|{language}|>"]
    forward = whisper._model.forward

    def favour(*arguments, **options):
        output = forward(*arguments, **options)
        output.logits[..., token] += 1_000
        return output

    monkeypatch.setattr(whisper._model, "forward", favour)
    assert whisper.english(whisper.encode(sounds[:2])) == [language == "en"] * 2


def test_a_language_the_model_does_not_know_is_refused(tiny_whisper):
    with pytest.raises(UserError, match="knows no language tlh"):
        TransformersWhisper(str(tiny_whisper), replace(WHISPER_SETTINGS, language="tlh"), "cpu")


def test_a_model_without_alignment_heads_is_refused_and_their_choice_moves_the_words(tiny_whisper, sounds, tmp_path):
    folder = shutil.copytree(tiny_whisper, tmp_path / "other")
    config = json.loads((folder / "generation_config.json").read_text())
    transcripts = []
    for heads in ([[1, 0], [1, 1]], [[0, 0]]):
        (folder / "generation_config.json").write_text(json.dumps(config | {"alignment_heads": heads}))
        transcripts += written(TransformersWhisper(str(folder), WHISPER_SETTINGS, "cpu"), sounds[4])
    assert transcripts[0].text == transcripts[1].text
    assert [w.start_s for w in transcripts[0].words] != [w.start_s for w in transcripts[1].words]

    del config["alignment_heads"]
    (folder / "generation_config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="alignment_heads"):
        TransformersWhisper(str(folder), WHISPER_SETTINGS, "cpu")


def test_what_whisper_takes_for_no_speech_and_is_unsure_of_is_left_out(whisper, sounds, long_sound, monkeypatch):
    always = replace(WHISPER_SETTINGS, no_speech_threshold=-1.0, log_prob_threshold=100.0)
    monkeypatch.setattr(whisper, "_settings", always)
    for transcript in written(whisper, sounds[4], long_sound):
        assert (transcript.text, transcript.note) == ("", NO_SPEECH)


def timed(*tokens: bytes) -> list[tuple[bytes, float, float]]:
    return [(token, float(i), float(i + 1)) for i, token in enumerate(tokens)]


def test_characters_split_over_tokens_survive_with_the_time_of_all_their_tokens():
    tokens = timed(*(bytes([byte]) for byte in "𠮷堃é".encode()))
    assert [(p.text, p.start_s, p.end_s) for p in pieces_from_tokens(tokens)] == [
        ("𠮷", 0, 4),
        ("堃", 4, 7),
        ("é", 7, 9),
    ]


def test_a_character_begun_in_one_token_and_ended_in_another_with_more_text():
    tokens = timed(b"a", "王醫".encode()[:4], "醫".encode()[1:] + b" x")
    assert [(p.text, p.start_s, p.end_s) for p in pieces_from_tokens(tokens)] == [("a", 0, 1), ("王醫 x", 1, 3)]


def test_bytes_that_never_become_a_character_are_dropped():
    tokens = timed(b"a", "王".encode()[:2], b"b", "師".encode()[1:], b" \xff", "顆".encode()[:1])
    assert "".join(piece.text for piece in pieces_from_tokens(tokens)) == "ab "


def test_text_survives_the_real_tokenizer(shared):
    tokenizer = WhisperTokenizer.from_pretrained(shared / "tokenizers" / "whisper-multilingual-tokenizer")
    text = " Dr. Ngô 說：陳堃、𠮷田、鱻，彁 naïve 😷 ok"
    tokens = tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False).input_ids)
    raw = [token_to_bytes(token) for token in tokens]
    assert any("\ufffd" in token.decode(errors="replace") for token in raw), "some characters are split"
    assert "".join(piece.text for piece in pieces_from_tokens(timed(*raw))) == text


def test_every_text_token_of_the_real_tokenizer_has_bytes(shared):
    tokenizer = WhisperTokenizer.from_pretrained(shared / "tokenizers" / "whisper-multilingual-tokenizer")
    tokens = tokenizer.convert_ids_to_tokens(range(tokenizer.eos_token_id))
    assert {byte for token in tokens for byte in token_to_bytes(token)} == set(range(256))


def test_half_precision_transcribes(tiny_whisper, sounds):
    whisper = TransformersWhisper(str(tiny_whisper), replace(WHISPER_SETTINGS, dtype="bfloat16"), "cpu")
    assert whisper._model.dtype == torch.bfloat16
    for transcript, audio in zip(written(whisper, *sounds), sounds, strict=True):
        check_transcript(transcript, audio)


def test_the_settings_choose_the_library(tiny_whisper, tiny_ctranslate2):
    assert type(load_whisper(str(tiny_whisper), WHISPER_SETTINGS)).__name__ == "TransformersWhisper"
    faster = replace(WHISPER_SETTINGS, backend="faster-whisper")
    assert type(load_whisper(str(tiny_ctranslate2), faster)).__name__ == "FasterWhisper"


def segment_of(whisper, start_s, end_s, *tokens):
    """Make a segment as Transformers gives it, of tokens with the second at which each ends."""
    names = [name for name, _ in tokens]
    return {
        "start": torch.tensor(start_s),
        "end": torch.tensor(end_s),
        "tokens": torch.tensor(whisper._tokenizer.convert_tokens_to_ids(names)),
        "token_timestamps": torch.tensor([second for _, second in tokens]),
    }


@pytest.mark.parametrize(
    ("window_s", "segment_start_s"), [(0.0, 0.0), (8.0, 8.0), (8.0, 8.6)], ids=["first", "second", "cut in slices"]
)
def test_words_start_where_the_word_before_ends_and_the_first_at_the_timestamp(whisper, window_s, segment_start_s):
    tokens = [("<|0.60|>", 0.0), ("a", 1.0), ("Ġb", 1.5), ("c", 2.0), ("<|2.20|>", 2.1)]
    tokens = [(name, second + window_s) for name, second in tokens]
    pieces = whisper._pieces(segment_of(whisper, segment_start_s, window_s + 2.2, *tokens))
    assert [piece.text for piece in pieces] == ["a", " b", "c"]
    assert [piece.start_s - window_s for piece in pieces] == pytest.approx([0.6, 1.0, 1.5], abs=1e-5)
    assert [piece.end_s - window_s for piece in pieces] == pytest.approx([1.0, 1.5, 2.0], abs=1e-5)


def test_a_later_segment_starts_where_the_decoder_looks_unless_its_timestamp_is_later(whisper):
    tokens = [("<|3.00|>", 3.2), ("a", 3.6), ("Ġb", 4.0), ("<|4.00|>", 4.0)]
    assert whisper._pieces(segment_of(whisper, 3.0, 4.0, *tokens))[0].start_s == pytest.approx(3.2)


def test_text_that_was_cut_off_starts_at_its_timestamp_too(whisper):
    tokens = [("<|0.60|>", 8.0), ("a", 9.0), ("Ġb", 9.5)]
    assert whisper._pieces(segment_of(whisper, 8.0, 16.0, *tokens))[0].start_s == pytest.approx(8.6)


def test_transformers_says_where_the_decoder_looks_after_a_token(whisper):
    """Attention of the rows behind the prompt, each at a place of its own: token i gets the place of row i."""
    places, positions, prompt = [20, 60, 100, 140], 200, 3
    rows = torch.full((prompt + len(places), positions), 1e-3)
    for row, place in enumerate(places, prompt):
        rows[row, place - 15 : place + 15] = 1.0
    rows = rows / rows.sum(-1, keepdim=True)
    first, later = rows[: prompt + 1], rows[prompt + 1 :]
    layers = whisper._model.config.decoder_layers
    steps = [first, *later[:, None]]
    outputs = GenerateEncoderDecoderOutput(
        cross_attentions=[[step.expand(1, 2, -1, -1) for _ in range(layers)] for step in steps],
        sequences=torch.zeros(1, prompt + len(places) + 1, dtype=torch.long),
    )
    heads = whisper._model.generation_config.alignment_heads
    times = whisper._model._extract_token_timestamps(outputs, heads, num_frames=2 * positions, num_input_ids=prompt)
    assert times[0, prompt] == 0.0
    starts = [(place - 15) / 50 for place in places[1:]]
    assert times[0, prompt + 1 : prompt + 4].tolist() == pytest.approx(starts, abs=0.25)
