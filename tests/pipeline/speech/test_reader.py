"""Whatever a hospital has is read whole, or as far as it goes with a note, or refused; never more than is there."""

import re
from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pytest
from scipy import signal

from pipeline.settings import DecodingSettings
from pipeline.speech.audio import AudioError, decode
from pipeline.speech.reader import open_sound
from tests.pipeline.speech.sound_files import (
    RATE,
    SECONDS,
    correlation,
    cut,
    of_ffmpeg,
    of_libsndfile,
    voice,
    with_codec,
    with_size,
    without_length,
)

ANY = DecodingSettings(min_duration_s=0.0)
FRAME_S = 0.03
INCOMPLETE = r"^incomplete: [\d.]+ of [\d.]+ s could be read$"
OPEN = r"^incomplete: the file was not closed, [\d.]+ s are in it$"
PART = r"^incomplete: "

WHOLE: dict[str, tuple[Callable[[], bytes], float]] = {
    "wav": (lambda: of_libsndfile("WAV", "PCM_16"), 6.0),
    "wav 8 bits": (lambda: of_libsndfile("WAV", "PCM_U8"), 6.0),
    "wav 24 bits": (lambda: of_libsndfile("WAV", "PCM_24"), 6.0),
    "wav float": (lambda: of_libsndfile("WAV", "FLOAT"), 6.0),
    "wav double": (lambda: of_libsndfile("WAV", "DOUBLE"), 6.0),
    "wav mu-law": (lambda: of_libsndfile("WAV", "ULAW"), 6.0),
    "wav A-law": (lambda: of_libsndfile("WAV", "ALAW"), 6.0),
    "wav IMA ADPCM": (lambda: of_libsndfile("WAV", "IMA_ADPCM"), 6.018),
    "wav Microsoft ADPCM": (lambda: of_libsndfile("WAV", "MS_ADPCM"), 6.0),
    "wav GSM 6.10": (lambda: of_libsndfile("WAV", "GSM610", voice(rate=8_000), 8_000), 6.0),
    "wav NMS ADPCM": (lambda: of_libsndfile("WAV", "NMS_ADPCM_32", voice(rate=8_000), 8_000), 6.0),
    "wav extensible": (lambda: of_libsndfile("WAVEX", "PCM_16"), 6.0),
    "rf64": (lambda: of_libsndfile("RF64", "PCM_16"), 6.0),
    "w64": (lambda: of_libsndfile("W64", "PCM_16"), 6.0),
    "au": (lambda: of_libsndfile("AU", "PCM_16"), 6.0),
    "au G.721": (lambda: of_libsndfile("AU", "G721_32", voice(rate=8_000), 8_000), 6.0),
    "aiff": (lambda: of_libsndfile("AIFF", "PCM_16"), 6.0),
    "aifc A-law": (lambda: of_libsndfile("AIFF", "ALAW"), 6.0),
    "caf": (lambda: of_libsndfile("CAF", "PCM_16"), 6.0),
    "caf ALAC": (lambda: of_libsndfile("CAF", "ALAC_16"), 6.0),
    "sph": (lambda: of_libsndfile("NIST", "PCM_16"), 6.0),
    "voc": (lambda: of_libsndfile("VOC", "PCM_16"), 6.0),
    "flac": (lambda: of_libsndfile("FLAC", "PCM_16"), 6.0),
    "mp3": (lambda: of_libsndfile("MP3", "MPEG_LAYER_III"), 6.0),
    "mp3 of variable rate": (lambda: of_ffmpeg("mp3", "libmp3lame"), 6.0),
    "mp3 without a length": (lambda: without_length(of_libsndfile("MP3", "MPEG_LAYER_III")), 6.08),
    "mp2": (lambda: of_ffmpeg("mp2", "mp2"), 6.03),
    "ogg vorbis": (lambda: of_libsndfile("OGG", "VORBIS"), 6.0),
    "ogg opus": (lambda: of_libsndfile("OGG", "OPUS"), 6.0),
    "webm opus": (lambda: of_ffmpeg("webm", "libopus", rate=48_000), 6.0),
    "m4a aac": (lambda: of_ffmpeg("mp4", "aac"), 6.08),
    "m4a alac": (lambda: of_ffmpeg("ipod", "alac"), 6.0),
    "mp4 with video": (lambda: of_ffmpeg("mp4", "aac", picture=True), 6.08),
    "mov": (lambda: of_ffmpeg("mov", "pcm_s16le"), 6.0),
    "mkv": (lambda: of_ffmpeg("matroska", "pcm_s16le"), 6.0),
    "aac": (lambda: of_ffmpeg("adts", "aac"), 6.08),
    "3gp": (lambda: of_ffmpeg("3gp", "libopencore_amrnb", rate=8_000), 6.02),
    "amr": (lambda: of_ffmpeg("amr", "libopencore_amrnb", rate=8_000), 6.02),
    "ac3": (lambda: of_ffmpeg("ac3", "ac3", rate=32_000), 6.0),
    "mka": (lambda: of_ffmpeg("matroska", "aac"), 6.02),
    "wma": (lambda: of_ffmpeg("asf", "wmav2"), 5.98),
    "avi": (lambda: of_ffmpeg("avi", "pcm_s16le", rate=48_000), 6.0),
    "wav with mp3": (lambda: of_ffmpeg("wav", "libmp3lame"), 6.08),
    "wav G.726": (lambda: of_ffmpeg("wav", "g726", rate=8_000), 6.0),
    "m4a in fragments": (lambda: of_ffmpeg("mp4", "aac", movflags="frag_keyframe+empty_moov"), 6.08),
    "RealAudio": (lambda: of_ffmpeg("rm", "real_144", rate=8_000), 6.02),
    "flv": (lambda: of_ffmpeg("flv", "libmp3lame", rate=22_050), 6.05),
    "transport stream": (lambda: of_ffmpeg("mpegts", "aac"), 6.08),
    "program stream": (lambda: of_ffmpeg("mpeg", "mp2", rate=32_000), 6.0),
    "wavpack": (lambda: of_ffmpeg("wv", "wavpack"), 6.0),
    "tta": (lambda: of_ffmpeg("tta", "tta"), 6.0),
    "two mp3": (lambda: 2 * of_libsndfile("MP3", "MPEG_LAYER_III"), 12.13),
    "two ogg": (lambda: 2 * of_libsndfile("OGG", "VORBIS"), 12.0),
    "three opus": (lambda: 3 * of_libsndfile("OGG", "OPUS"), 18.0),
    "two flac": (lambda: 2 * of_libsndfile("FLAC", "PCM_16"), 12.0),
    "two aac": (lambda: 2 * of_ffmpeg("adts", "aac"), 12.16),
    "wav with the size of a pipe": (lambda: with_size(of_libsndfile("WAV", "PCM_16"), 0xFFFFFFFF), 6.0),
    "mp3 behind a large picture": (lambda: id3(200_000) + of_libsndfile("MP3", "MPEG_LAYER_III"), 6.0),
    "mp3 with a tag at its end": (lambda: of_libsndfile("MP3", "MPEG_LAYER_III") + b"TAG".ljust(128, b"x"), 6.0),
}
"""Files that are whole, with their seconds."""

NOTED: dict[str, tuple[Callable[[], bytes], float, str]] = {
    "half a wav": (lambda: cut(WHOLE["wav"][0](), 0.5), 3.0, INCOMPLETE),
    "a quarter of a wav": (lambda: cut(WHOLE["wav"][0](), 0.25), 1.5, INCOMPLETE),
    "half a mu-law wav": (lambda: cut(WHOLE["wav mu-law"][0](), 0.5), 3.0, INCOMPLETE),
    "half a GSM wav": (lambda: cut(WHOLE["wav GSM 6.10"][0](), 0.5), 3.0, INCOMPLETE),
    "half an rf64": (lambda: cut(WHOLE["rf64"][0](), 0.5), 3.0, INCOMPLETE),
    "half a w64": (lambda: cut(WHOLE["w64"][0](), 0.5), 3.0, INCOMPLETE),
    "half an aiff": (lambda: cut(WHOLE["aiff"][0](), 0.5), 3.0, INCOMPLETE),
    "half an au": (lambda: cut(WHOLE["au"][0](), 0.5), 3.0, INCOMPLETE),
    "half a caf": (lambda: cut(WHOLE["caf"][0](), 0.5), 2.94, INCOMPLETE),
    "half a flac": (lambda: cut(WHOLE["flac"][0](), 0.5), 2.9, INCOMPLETE),
    "half an mp3": (lambda: cut(WHOLE["mp3"][0](), 0.5), 2.9, INCOMPLETE),
    "a quarter of an mp3": (lambda: cut(WHOLE["mp3"][0](), 0.25), 1.26, INCOMPLETE),
    "half an ogg": (lambda: cut(WHOLE["ogg vorbis"][0](), 0.5), 1.64, OPEN),
    "half an opus": (lambda: cut(WHOLE["ogg opus"][0](), 0.5), 1.97, OPEN),
    "a wav whose recorder lost power": (lambda: with_size(WHOLE["wav"][0](), 0), 6.0, OPEN),
    "two wav": (lambda: 2 * WHOLE["wav"][0](), 6.0, r"^incomplete: 6.0 of 12.0 s could be read$"),
    "two ogg of unlike rates": (
        lambda: WHOLE["ogg vorbis"][0]() + of_libsndfile("OGG", "VORBIS", voice(rate=8_000), 8_000),
        6.0,
        PART,
    ),
}
"""Files that lack something, with the seconds that can be read and the note."""

UNSTATED = {"mp3 without a length", "mp2", "ac3", "transport stream", "program stream", "RealAudio"} | {
    "wav with the size of a pipe"
}
"""Files that do not say how long they are, so that nobody can tell that some of it is missing."""

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "half an m4a": (lambda: cut(WHOLE["m4a aac"][0](), 0.5), "MP4, M4A or 3GP, .*: ffmpeg -i FILE FILE.wav"),
    "a quarter of a wavpack": (lambda: cut(WHOLE["wavpack"][0](), 0.25), "wv with wavpack, nothing could be decoded.*"),
    "a wav of an unknown codec": (lambda: with_codec(WHOLE["wav"][0](), 0x1234), "unreadable: wav, its codec is not"),
    "a dictation of DS2": (lambda: b"\3ds2" + bytes(5_000), "unreadable: DS2 dictation, .*: ffmpeg -i FILE FILE.wav"),
    "notes": (lambda: b"MThd" + bytes(5_000), "unreadable: MIDI"),
    "a text": (lambda: b"Good morning, this is no sound.\n" * 400, "unreadable"),
    "nothing": (lambda: b"", "unreadable"),
    "a playlist": (lambda: b"#EXTM3U\n#EXTINF:10,\nhttp://192.0.2.1/a.mp3\n#EXT-X-ENDLIST\n", "unreadable"),
    "a list of files": (lambda: b"ffconcat version 1.0\nfile '/etc/hostname'\n", "unreadable"),
    "a film without sound": (lambda: silent_film(), "no sound in it"),
    "a wav without samples": (lambda: of_libsndfile("WAV", "PCM_16", np.zeros(0, np.float32)), "no samples"),
    "a sample of 1e30": (lambda: of_libsndfile("WAV", "FLOAT", spoiled(1e30)), "no sound: not finite, or far beyond"),
    "a sample of minus infinity": (lambda: of_libsndfile("WAV", "FLOAT", spoiled(-np.inf)), "no sound: not finite"),
    "no number among the samples": (lambda: of_libsndfile("WAV", "DOUBLE", spoiled(np.nan)), "no sound: not finite"),
}
"""Files that hold no recording, with the reason."""


def id3(size: int) -> bytes:
    """A tag with a picture of so many bytes."""
    frame = b"APIC" + size.to_bytes(4, "big") + b"\0\0" + bytes(size)
    syncsafe = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + syncsafe + frame


def spoiled(value: float) -> np.ndarray:
    samples = voice()
    samples[1000] = value
    return samples


def silent_film() -> bytes:
    import io

    content = io.BytesIO()
    with av.open(content, "w", format="mp4") as container:
        video = container.add_stream("mpeg4", rate=5)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        for _ in range(5):
            container.mux(video.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(video.encode(None))
    return content.getvalue()


def read(tmp_path, content: bytes, settings: Any = ANY):
    file = tmp_path / "recording.wav"  # the name says nothing
    file.write_bytes(content)
    return decode(str(file), settings)


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_has_all_of_its_sound_and_no_note(tmp_path, name):
    make, seconds = WHOLE[name]
    audio = read(tmp_path, make())
    assert audio.duration_s == pytest.approx(seconds, abs=FRAME_S) and audio.note is None
    assert len(audio.samples) == pytest.approx(audio.duration_s * RATE, abs=2)


@pytest.mark.parametrize("frames", [100, 4_096, 8_192, 12_000, 95_999])
@pytest.mark.parametrize(
    "form",
    [
        "WAV PCM_24",
        "FLAC PCM_16",
        "AIFF PCM_16",
        "CAF PCM_16",
        "CAF ALAC_16",
        "CAF ALAC_32",
        "OGG OPUS",
        "MP3 MPEG_LAYER_III",
    ],
)
@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_a_file_that_knows_its_length_has_exactly_so_many_samples(tmp_path, form, rate, frames):
    stereo = np.stack([voice(frames / rate, rate, seed) for seed in (1, 2)], axis=1)
    file = tmp_path / "recording"
    file.write_bytes(of_libsndfile(*form.split(), stereo, rate))
    with open_sound(str(file)) as sound:
        read_frames = sum(map(len, sound.blocks()))
    assert read_frames * rate / sound.form.rate == pytest.approx(frames, abs=1) and sound.note is None


@pytest.mark.parametrize("name", NOTED)
def test_of_a_file_that_lacks_something_the_rest_is_read_and_a_note_says_so(tmp_path, name):
    make, seconds, note = NOTED[name]
    audio = read(tmp_path, make())
    assert audio.duration_s == pytest.approx(seconds, abs=0.1)
    assert audio.note and re.match(note, audio.note), audio.note


@pytest.mark.parametrize("share", [0.5, 0.25])
@pytest.mark.parametrize("name", [name for name in WHOLE if not name.startswith(("two", "three"))])
def test_a_part_of_any_file_is_read_as_far_as_it_goes_with_a_note_or_refused(tmp_path, name, share):
    make, seconds = WHOLE[name]
    try:
        audio = read(tmp_path, cut(make(), share))
    except AudioError as error:
        assert str(error).startswith("unreadable")
        return
    assert audio.duration_s <= seconds * share + 0.2
    assert (audio.note or "").startswith("incomplete") or name in UNSTATED


@pytest.mark.parametrize("name", REFUSED)
def test_what_holds_no_recording_is_refused_by_its_reason(tmp_path, name):
    make, reason = REFUSED[name]
    with pytest.raises(AudioError, match=reason):
        read(tmp_path, make())


@pytest.mark.parametrize("name", ["mp3", "m4a aac", "aac", "ogg vorbis", "ogg opus", "flac", "wav"])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_sound_is_the_sources_and_nothing_stands_behind_its_end(tmp_path, name, share):
    """Decoded alone, and again after ten other recordings, whose memory must not come back."""
    content = cut(WHOLE[name][0](), share)
    if name == "m4a aac" and share < 1:
        pytest.skip("half an m4a cannot be opened, see REFUSED")
    alone = read(tmp_path, content).samples
    for seed in range(10):
        read(tmp_path, of_libsndfile("WAV", "PCM_16", voice(seed=seed + 1)))
    again = read(tmp_path, content).samples
    assert np.array_equal(alone, again)
    delay = int(signal.correlate(alone[:22_100], voice()[:20_000], "valid").argmax())
    assert correlation(alone[delay:], voice()) > 0.9
    assert len(alone) <= (SECONDS * share + 0.15) * RATE + delay


def test_a_channel_that_cancels_the_other_gives_way_to_the_louder(tmp_path):
    left = voice()
    audio = read(tmp_path, of_libsndfile("WAV", "FLOAT", np.stack([0.8 * left, -left], axis=1)))
    assert np.allclose(audio.samples, -left, atol=1e-4)
    assert audio.note == "channel 2 alone: the channels cancel each other"


@pytest.mark.parametrize(("channels", "place"), [("left", 0), ("right", 1)])
def test_one_channel_of_a_telephone_call_can_be_taken(tmp_path, channels, place):
    both = np.stack([voice(seed=1), voice(seed=2)], axis=1)
    audio = read(tmp_path, of_libsndfile("WAV", "FLOAT", both), DecodingSettings(channels=channels))
    assert np.allclose(audio.samples, both[:, place], atol=1e-4) and audio.channels == 2
    mono = read(tmp_path, of_libsndfile("WAV", "FLOAT", both[:, 0]), DecodingSettings(channels=channels))
    assert np.allclose(mono.samples, both[:, 0], atol=1e-4)


def test_container_and_codec_are_named(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(WHOLE["m4a aac"][0]())
    with open_sound(str(file)) as sound:
        assert (str(sound.form), sound.form.rate, sound.form.channels) == ("mov with aac", RATE, 1)
