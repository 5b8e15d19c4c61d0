"""Decoding: what opens becomes mono 16 kHz float32, what cannot be speech input is refused with a reason."""

import csv
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from pipeline.settings import DecodingSettings
from pipeline.speech.audio import SAMPLE_RATE, AudioError, decode, is_silent
from pipeline.speech.reader import Sound, expected_s
from tests.pipeline.speech.sound_files import with_size

LIMITS = DecodingSettings()


def tone(seconds: float, rate: int, hertz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def write(path: Path, samples: np.ndarray, rate: int, subtype: str = "PCM_16") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype)
    return str(path)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_any_sample_rate_becomes_16_khz_and_keeps_pitch_and_duration(tmp_path, rate):
    audio = decode(write(tmp_path / "a.wav", tone(1.5, rate), rate), LIMITS)
    assert audio.samples.dtype == np.float32 and audio.samples.ndim == 1
    assert audio.sample_rate == rate and audio.duration_s == pytest.approx(1.5, abs=1 / rate)
    assert len(audio.samples) == pytest.approx(1.5 * SAMPLE_RATE, abs=1)
    spectrum = np.abs(np.fft.rfft(audio.samples))
    assert np.argmax(spectrum) * SAMPLE_RATE / len(audio.samples) == pytest.approx(440, abs=1)


FORMATS = "wav PCM_U8, wav PCM_24, wav FLOAT, wav ULAW, flac PCM_24, aiff PCM_16, au PCM_16, w64 PCM_16, "
FORMATS += "rf64 PCM_16, caf PCM_16, ogg VORBIS, opus OPUS, mp3 MPEG_LAYER_III"


@pytest.mark.parametrize(("suffix", "subtype"), [each.split() for each in FORMATS.split(", ")])
def test_formats_of_libsndfile_decode_to_the_same_sound(tmp_path, suffix, subtype):
    expected = tone(1.0, 48_000)
    path = tmp_path / f"a.{suffix}"
    container = {"opus": "OGG", "rf64": "RF64"}.get(suffix)
    soundfile.write(path, expected, 48_000, subtype=subtype, format=container)
    audio = decode(str(path), LIMITS)
    assert audio.duration_s == pytest.approx(1.0, abs=0.06)
    assert np.sqrt(np.mean(audio.samples[1600:14400] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


def test_stereo_becomes_mono_by_the_mean_of_its_channels(tmp_path):
    left, right = tone(0.5, SAMPLE_RATE, 440), tone(0.5, SAMPLE_RATE, 880)
    audio = decode(write(tmp_path / "a.wav", np.stack([left, right], axis=1), SAMPLE_RATE), LIMITS)
    assert audio.channels == 2
    np.testing.assert_allclose(audio.samples, (left + right) / 2, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.wav", b"this is a text file", "unreadable"),
        ("a.wav", b"", "unreadable"),
        ("a.raw", b"\0" * 32_000, "no header"),
        ("a.pcm", b"\0" * 32_000, "no header"),
    ],
)
def test_files_that_are_no_audio_are_refused(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AudioError, match=reason):
        decode(str(tmp_path / name), LIMITS)


def test_recordings_without_samples_too_short_or_too_long_are_refused(tmp_path):
    with pytest.raises(AudioError, match="no samples"):
        decode(write(tmp_path / "none.wav", np.zeros(0), 16_000), LIMITS)
    with pytest.raises(AudioError, match=r"shorter than 0\.1 s"):
        decode(write(tmp_path / "short.wav", tone(0.099, 16_000), 16_000), LIMITS)
    with pytest.raises(AudioError, match="longer than 2 s"):
        decode(write(tmp_path / "long.wav", tone(2.1, 16_000), 16_000), DecodingSettings(max_duration_s=2.0))
    assert decode(write(tmp_path / "just.wav", tone(0.1, 16_000), 16_000), LIMITS).duration_s == pytest.approx(0.1)


def test_more_channels_than_a_recording_has_are_refused_before_they_are_decoded(tmp_path):
    silence = np.zeros((1_600, 64))
    assert decode(write(tmp_path / "most.wav", silence, 16_000), LIMITS).channels == 64
    for channels in (65, 1_024):
        path = write(tmp_path / f"{channels}.wav", np.zeros((1_600, channels)), 16_000)
        with pytest.raises(AudioError, match="channels: a recording has 1 to 64"):
            decode(path, LIMITS)


def test_a_stated_length_beyond_the_limit_is_refused_before_anything_is_decoded(tmp_path, monkeypatch):
    monkeypatch.delattr(Sound, "blocks")
    for suffix in ("wav", "flac", "caf", "mp3"):
        path = tmp_path / f"a.{suffix}"
        soundfile.write(path, tone(3, 16_000), 16_000)
        with pytest.raises(AudioError, match="longer than 2 s"):
            decode(str(path), DecodingSettings(max_duration_s=2.0))


def test_what_a_header_states_beyond_the_end_of_its_file_is_not_believed(tmp_path):
    """A recorder that writes to a pipe, and was stopped, leaves a header of 18 hours before a few seconds."""
    content = Path(write(tmp_path / "a.wav", tone(3, 16_000), 16_000)).read_bytes()
    path = tmp_path / "stopped.wav"
    path.write_bytes(with_size(content, 1 << 31))
    audio = decode(str(path), DecodingSettings(max_duration_s=60))
    assert audio.duration_s == pytest.approx(3) and (audio.note or "").startswith("incomplete")
    assert expected_s(str(path)) == pytest.approx(3)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 384_000])
def test_block_by_block_a_recording_is_resampled_as_it_would_be_at_once(tmp_path, rate):
    sound = np.random.default_rng(0).normal(0, 0.1, 5 * rate).astype(np.float32)
    audio = decode(write(tmp_path / "a.wav", sound, rate, "FLOAT"), LIMITS)
    np.testing.assert_allclose(audio.samples, soxr.resample(sound, rate, SAMPLE_RATE), atol=1e-6)


@pytest.mark.parametrize(("channels", "rate", "seconds"), [(2, 48_000, 240), (64, 48_000, 20)])
def test_memory_is_that_of_the_result_whatever_the_rate_and_the_channels(tmp_path, channels, rate, seconds):
    path = write(tmp_path / "a.wav", np.zeros((rate * seconds, channels), np.int16), rate)
    tracemalloc.start()
    samples = decode(path, LIMITS).samples
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    blocks = 3 * 4 * channels * (1 << 16)
    assert peak < 1.25 * samples.nbytes + blocks


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_refused(tmp_path, value):
    samples = tone(0.5, 16_000)
    samples[100] = value
    with pytest.raises(AudioError, match="not finite"):
        decode(write(tmp_path / "a.wav", samples, 16_000, "FLOAT"), LIMITS)


@pytest.mark.faults
def test_a_truncated_file_is_decoded_as_far_as_it_goes_or_refused(tmp_path):
    path = Path(write(tmp_path / "a.flac", tone(5, 16_000), 16_000))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    try:
        assert decode(str(path), LIMITS).duration_s < 5
    except AudioError as error:
        assert "unreadable" in str(error)


def test_a_missing_file_is_refused_without_its_folder_in_the_reason(tmp_path):
    with pytest.raises(AudioError, match="No such file") as caught:
        decode(str(tmp_path / "secret" / "a.wav"), LIMITS)
    assert "secret" not in str(caught.value)


def test_audio_is_read_from_uris(tmp_path):
    path = write(tmp_path / "a.wav", tone(0.5, 16_000), 16_000)
    assert decode(f"file://{path}", LIMITS).duration_s == pytest.approx(0.5)


def test_silence_is_what_is_never_louder_than_the_threshold():
    quiet = np.full(16_000, 0.0005, np.float32)
    assert is_silent(np.zeros(1_600, np.float32), -60)
    assert is_silent(quiet, -60)
    assert not is_silent(quiet, -80)
    one_word = quiet.copy()
    one_word[8_000:9_600] = tone(0.1, 16_000)
    assert not is_silent(one_word, -60)


def test_odd_real_files_have_the_right_duration_or_a_reason(shared):
    """What opens has the duration and sample rate listed for it; what does not is refused."""
    with (shared / "speech" / "odd.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    refused = {}
    for row in rows:
        try:
            audio = decode(str(shared / "speech" / row["path"]), LIMITS)
        except AudioError as error:
            refused[Path(row["path"]).name] = str(error)
        else:
            assert audio.duration_s == pytest.approx(float(row["duration"]), abs=0.001), row["path"]
            assert len(audio.samples) / SAMPLE_RATE == pytest.approx(audio.duration_s, abs=0.001), row["path"]
            assert (audio.sample_rate, audio.channels) == (int(row["sample_rate"]), int(row["channels"])), row["path"]
    assert len(rows) == 29
    assert set(refused) == {"az_good_morning.pcm", "az_missing_wav_header.wav", "ps_awful.wav"} | {
        "ps_bad.wav",
        "ps_chan3_raw.raw",
        "ps_null.wav",
    }
    assert "1092676 Hz" in refused["ps_awful.wav"] and refused["ps_null.wav"] == "no samples"
