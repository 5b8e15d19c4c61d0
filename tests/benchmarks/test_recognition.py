"""The benchmark of recognition measures what it says, on models that take a moment."""

import json

import numpy as np
import pytest
import soundfile

from tests.benchmarks import recognition


def test_each_way_transcribes_each_recording_and_the_figures_are_written(tiny_ctranslate2, tmp_path):
    for number in range(2):
        tone = np.sin(np.arange(16_000) * 2 * np.pi * 300 * (number + 1) / 16_000)
        soundfile.write(tmp_path / f"{number}.wav", 0.3 * tone, 16_000)
    file = tmp_path / "figures.json"
    options = recognition.Options(
        whisper=str(tiny_ctranslate2),
        parakeet="none",
        audio=tmp_path,
        beams=1,
        ways=("reference", "bare", "transcription"),
        json=file,
    )
    recognition.main(options)
    figures = json.loads(file.read_text())
    assert set(figures["ratios"]) == {"transcription_over_reference", "transcription_over_bare"}
    for row in figures["ways"].values():
        assert (row["recordings"], row["audio_s"], row["wer"]) == (2, 2.0, None) and row["seconds"] > 0


def test_recordings_are_as_english_as_asked_and_repeat_where_there_are_few(shared):
    chosen = recognition.read_recordings(recognition.Options(whisper="", recordings=20))
    english = [recording for recording in chosen if recording.reference.isascii()]
    assert len(chosen) == 20 and len(english) == pytest.approx(17, abs=1)
    assert recognition.spread([1, 2], 5) == [1, 2, 1, 2, 1] and recognition.spread([1, 2, 3, 4], 2) == [1, 3]


def test_error_rates_are_of_one_script_and_one_case():
    said = [
        recognition.Recording("", np.zeros(1), "HELLO there"),
        recognition.Recording("", np.zeros(1), "病历"),
        recognition.Recording("", np.zeros(1), "早安"),
    ]
    assert recognition.error_rates(said, ["Hello, there.", "病歷", "早"]) == {"wer": 0.0, "cer": 0.25}
