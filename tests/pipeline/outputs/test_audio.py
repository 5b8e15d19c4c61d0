"""Covered recordings: nothing is heard inside the spans, nothing is altered outside them and their padding."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.outputs.audio import BEEP_HZ, BEEP_LEVEL, FADE_S, Cover, copy_covered
from pipeline.speech.audio import AudioError
from pipeline.speech.census import take_census
from pipeline.speech.reader import open_sound
from tests.pipeline.speech.test_reader import NOTED, WHOLE

LOSSY = {"MPEG_LAYER_III", "VORBIS", "OPUS", "IMA_ADPCM", "MS_ADPCM"}
EXACT = "wav PCM_U8, wav PCM_16, wav PCM_24, wav PCM_32, wav FLOAT, wav DOUBLE, wav ULAW, wav ALAW, flac PCM_S8, "
EXACT += (
    "flac PCM_16, flac PCM_24, aiff PCM_16, aiff PCM_S8, au PCM_24, w64 PCM_16, rf64 PCM_16, caf ALAC_24, nist PCM_16"
)
CONTAINERS = {"rf64": "RF64", "nist": "NIST", "opus": "OGG"}


def sound(frames: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.9, 0.9, (frames, channels))


def read(path: Path | str, subtype: str) -> np.ndarray:
    dtype = {"DOUBLE": "float64", "FLOAT": "float32"}.get(subtype, "float32" if subtype in LOSSY else "int32")
    return soundfile.read(path, dtype=dtype, always_2d=True)[0]


def inside(frames: int, rate: int, spans, padding_s: float) -> np.ndarray:
    """Mark the frames of the spans with their padding, by a rule of its own: each frame asked by its time."""
    times = np.arange(frames) / rate
    marked = np.zeros(frames, bool)
    for start, end in spans:
        marked |= (times > start - padding_s - 1.5 / rate) & (times < end + padding_s + 1.5 / rate)
    return marked


def check(source: Path | str, target: Path, spans, cover: Cover) -> None:
    """Check everything that holds of a copy in an exact format."""
    before, after = soundfile.info(source), soundfile.info(target)
    for fact in ("format", "subtype", "endian", "samplerate", "channels", "frames"):
        assert getattr(before, fact) == getattr(after, fact), fact
    old, new = read(source, before.subtype), read(target, before.subtype)
    outside = ~inside(len(old), before.samplerate, spans, cover.padding_s)
    np.testing.assert_array_equal(new[outside], old[outside])
    # A-law has no zero: its least value stands for it
    least = 1 << 19 if before.subtype == "ALAW" else 0
    for start, end in spans:
        heard = new[int(start * before.samplerate) : int(np.ceil(end * before.samplerate))]
        if cover.sound == "silence":
            assert np.abs(heard.astype(float)).max(initial=0) <= least
        elif len(heard):
            full_scale = 1.0 if heard.dtype.kind == "f" else 2.0**31
            frames = np.arange(int(start * before.samplerate), int(start * before.samplerate) + len(heard))
            tone = BEEP_LEVEL * np.sin(2 * np.pi * BEEP_HZ * frames / before.samplerate)
            steps = {"PCM_U8": 2**-7, "PCM_S8": 2**-7, "ULAW": 0.01, "ALAW": 0.01}.get(before.subtype, 2**-15)
            assert np.abs(heard / full_scale - tone[:, None]).max() <= steps


@pytest.mark.parametrize("cover", [Cover(), Cover("beep"), Cover("silence", 0.0), Cover("beep", 0.004)], ids=str)
@pytest.mark.parametrize(("suffix", "subtype"), [each.split() for each in EXACT.split(", ")])
def test_exact_formats_are_silent_or_a_tone_in_the_spans_and_bit_identical_outside(tmp_path, suffix, subtype, cover):
    source, target = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    soundfile.write(source, sound(12_000, 2), 8_000, subtype=subtype, format=CONTAINERS.get(suffix))
    spans = [(0.0, 0.05), (0.4001, 0.6003), (0.55, 0.7), (1.45, 1.5)]
    copy_covered(str(source), str(target.with_suffix("")), spans, cover, 1.5)
    check(source, target, spans, cover)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [source.name, target.name]


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_any_sample_rate_and_number_of_channels_stays(tmp_path, rate):
    source, target = tmp_path / "a.wav", tmp_path / "b.wav"
    soundfile.write(source, sound(2 * rate, 3), rate, subtype="PCM_24")
    copy_covered(str(source), str(target.with_suffix("")), [(0.5, 0.9)], Cover(), 2.0)
    check(source, target, [(0.5, 0.9)], Cover())


def test_a_recording_of_many_blocks_is_covered_across_their_edges(tmp_path):
    source, target = tmp_path / "a.flac", tmp_path / "b.flac"
    soundfile.write(source, sound(300_000), 16_000)
    spans = [(block * 65_536 / 16_000 - 0.05, block * 65_536 / 16_000 + 0.05) for block in (1, 2, 3)] + [(5.0, 16.0)]
    for cover in (Cover(), Cover("beep")):
        copy_covered(str(source), str(target.with_suffix("")), spans, cover)
        check(source, target, spans, cover)


def test_nothing_clicks_fades_lie_inside_the_padding_and_are_short(tmp_path):
    source, target = tmp_path / "a.wav", tmp_path / "b.wav"
    low = 0.9 * np.sin(2 * np.pi * 50 * np.arange(16_000) / 16_000 + 1)
    soundfile.write(source, low, 16_000, subtype="FLOAT")
    for sound_ in ("silence", "beep"):
        copy_covered(str(source), str(target.with_suffix("")), [(0.4, 0.6)], Cover(sound_, 0.1))
        covered = soundfile.read(target)[0]
        step = 0.9 * 2 * np.pi * 50 / 16_000 + BEEP_LEVEL * 2 * np.pi * BEEP_HZ / 16_000
        fade = 0.9 * np.pi / 2 / (FADE_S * 16_000)
        assert np.abs(np.diff(covered)).max() < step + fade < 0.1, "a cut at full height would jump by up to 0.9"
    copy_covered(str(source), str(target.with_suffix("")), [(0.4, 0.6)], Cover("silence", 0.1))
    covered = soundfile.read(target)[0]
    assert np.abs(covered[int((0.3 + FADE_S) * 16_000) + 1 : int((0.7 - FADE_S) * 16_000) - 1]).max() == 0


@pytest.mark.parametrize(("suffix", "subtype"), [("mp3", "MPEG_LAYER_III"), ("ogg", "VORBIS"), ("opus", "OPUS")])
def test_lossy_formats_are_encoded_anew_at_the_same_length_and_nearly_silent_in_the_spans(tmp_path, suffix, subtype):
    source, target = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(3 * 48_000) / 48_000)
    soundfile.write(source, tone, 48_000, subtype=subtype, format=CONTAINERS.get(suffix))
    copy_covered(str(source), str(target.with_suffix("")), [(1.0, 2.0)], Cover())
    before, after = soundfile.info(source), soundfile.info(target)
    for fact in ("format", "subtype", "samplerate", "channels", "frames"):
        assert getattr(before, fact) == getattr(after, fact), fact
    samples = read(target, subtype)
    assert np.abs(samples[48_000:96_000]).max() < 0.01
    assert np.sqrt(np.mean(samples[4_800:40_000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)


KEPT = [
    "m4a aac",
    "m4a alac",
    "m4a in fragments",
    "mka",
    "webm opus",
    "wma",
    "aac",
    "amr",
    "3gp",
    "ac3",
    "tta",
    "wavpack",
]
KEPT += ["mp3", "two mp3", "two ogg", "mp3 behind a large picture", "wav GSM 6.10", "wav NMS ADPCM", "au G.721", "voc"]
KEPT += ["wav with the size of a pipe", "caf ALAC"]


@pytest.mark.parametrize("name", KEPT)
def test_what_the_reader_reads_is_copied_in_its_own_form_and_at_its_length(tmp_path, name):
    source = tmp_path / "a.kept"
    source.write_bytes(WHOLE[name][0]())
    with open_sound(str(source)) as sound:
        before = np.concatenate(list(sound.blocks()))
    seconds = len(before) / sound.form.rate
    copy = copy_covered(str(source), str(tmp_path / "b"), [(2.0, 3.0)], Cover("silence", 0.1), seconds)
    assert copy == (f"{tmp_path}/b.kept", None)
    with open_sound(copy.path) as sound_of_copy:
        after = np.concatenate(list(sound_of_copy.blocks()))
    assert sound_of_copy.form == sound.form
    assert len(after) / sound.form.rate == pytest.approx(seconds, abs=0.1)
    rate = sound.form.rate
    assert np.abs(after[int(2.1 * rate) : int(2.9 * rate)]).max() < 0.01 < np.abs(after[: int(1.8 * rate)]).max()


@pytest.mark.parametrize(("name", "note"), [("mp2", "mp3 with mp2"), ("avi", "avi with pcm_s16le")])
def test_what_cannot_be_written_becomes_flac_and_a_note_says_so(tmp_path, name, note):
    source = tmp_path / "a.odd"
    source.write_bytes(WHOLE[name][0]())
    copy = copy_covered(str(source), str(tmp_path / "b"), [(2.0, 3.0)], Cover())
    assert copy == (f"{tmp_path}/b.flac", f"FLAC: {note} can be read but not written at the same length")
    with open_sound(str(source)) as before, open_sound(copy.path) as after:
        assert sum(map(len, before.blocks())) == sum(map(len, after.blocks()))


def test_pictures_are_not_copied_and_a_note_says_so(tmp_path):
    (tmp_path / "a.mp4").write_bytes(WHOLE["mp4 with video"][0]())
    copy = copy_covered(str(tmp_path / "a.mp4"), str(tmp_path / "b"), [(2.0, 3.0)], Cover())
    assert copy == (f"{tmp_path}/b.mp4", "the sound alone: pictures are left out")
    with open_sound(copy.path) as sound:
        assert not sound.form.pictures and sound.form.codec == "aac"


def test_of_an_incomplete_recording_what_is_there_is_copied(tmp_path):
    (tmp_path / "a.wav").write_bytes(NOTED["half a wav"][0]())
    copy = copy_covered(str(tmp_path / "a.wav"), str(tmp_path / "b"), [(1.0, 2.0)], Cover(), 3.0)
    assert soundfile.info(copy.path).duration == pytest.approx(3.0, abs=0.01)


def test_titles_and_comments_are_not_copied(tmp_path):
    source, target = tmp_path / "a.flac", tmp_path / "b.flac"
    with soundfile.SoundFile(source, "w", 8_000, 1) as file:
        file.title = "Ann Lee"
        file.write(sound(8_000))
    copy_covered(str(source), str(target.with_suffix("")), [], Cover())
    assert b"Ann Lee" in source.read_bytes() and b"Ann Lee" not in target.read_bytes()


def test_samples_that_are_not_finite_do_not_get_through_a_span(tmp_path):
    source, target = tmp_path / "a.wav", tmp_path / "b.wav"
    samples = sound(8_000)
    samples[4_000] = np.nan
    soundfile.write(source, samples, 8_000, subtype="FLOAT")
    copy_covered(str(source), str(target.with_suffix("")), [(0.4, 0.6)], Cover())
    assert not soundfile.read(target)[0][3_200:4_800].any()


@pytest.mark.parametrize("content", [b"this is a text file", b"", None], ids=["text", "empty", "missing"])
def test_what_cannot_be_read_leaves_nothing_and_says_why(tmp_path, content):
    if content is not None:
        (tmp_path / "a.wav").write_bytes(content)
    (tmp_path / "out").mkdir()
    with pytest.raises(AudioError, match="unreadable") as caught:
        copy_covered(str(tmp_path / "a.wav"), str(tmp_path / "out" / "a"), [], Cover())
    assert str(tmp_path) not in str(caught.value) and not list((tmp_path / "out").iterdir())


def test_a_recording_of_another_length_than_in_the_run_is_refused(tmp_path):
    source, target = tmp_path / "a.wav", tmp_path / "b.wav"
    soundfile.write(source, sound(8_000), 8_000)
    with pytest.raises(AudioError, match=r"1\.000 s long, where .* 1\.200 s"):
        copy_covered(str(source), str(target.with_suffix("")), [(0.1, 0.2)], Cover(), 1.2)
    with pytest.raises(AudioError, match="an entity ends later"):
        copy_covered(str(source), str(target.with_suffix("")), [(0.9, 1.3)], Cover())
    assert not target.exists()


def test_recordings_are_copied_between_uris(tmp_path):
    source, target = tmp_path / "a.wav", tmp_path / "b.wav"
    soundfile.write(source, sound(8_000), 8_000)
    copy_covered(f"file://{source}", f"file://{target.with_suffix('')}", [(0.1, 0.2)], Cover())
    check(source, target, [(0.1, 0.2)], Cover())


def test_real_recordings_stay_bit_identical_outside_the_spans(shared, tmp_path):
    """Every file that opens, of all kinds: lossy ones keep their length, the others every sample."""
    exact, lossy, refused = set(), set(), []
    for table in ("clips.tsv", "odd.tsv"):
        with (shared / "speech" / table).open(encoding="utf-8") as file:
            paths = [shared / "speech" / row["path"] for row in csv.DictReader(file, delimiter="\t")]
        for place, source in enumerate(paths):
            target = tmp_path / source.name
            cover = Cover("beep" if place % 2 else "silence", 0.02 * (place % 4))
            try:
                info = soundfile.info(source)
                seconds = info.duration
                if info.subtype in LOSSY and seconds > 10:
                    continue  # encoding them takes seconds, and the short ones show the same
                spans = [(0.1 * seconds, 0.2 * seconds), (0.15 * seconds, 0.3 * seconds), (0.9 * seconds, seconds)]
                copy_covered(str(source), str(target.with_suffix("")), spans, cover, seconds)
            except (AudioError, soundfile.LibsndfileError, TypeError):
                refused.append(source.name)
                continue
            if info.subtype in LOSSY:
                lossy.add(info.subtype)
                assert len(read(target, info.subtype)) == len(read(source, info.subtype))
            else:
                exact.add((info.format, info.subtype, info.channels))
                check(source, target, spans, cover)
            target.unlink()
    assert exact >= {("WAV", "PCM_U8", 1), ("WAV", "PCM_U8", 2), ("WAV", "PCM_24", 1), ("FLAC", "PCM_24", 2)}
    assert exact >= {("AIFF", "PCM_16", 2), ("NIST", "PCM_16", 1), ("WAV", "ULAW", 1), ("WAVEX", "PCM_24", 1)}
    assert lossy == {"MPEG_LAYER_III"}
    assert set(refused) == {
        "az_good_morning.pcm",
        "az_missing_wav_header.wav",
        "ps_bad.wav",
        "ps_chan3_raw.raw",
        "ps_awful.wav",
    }


def test_every_suffix_of_a_recording_can_be_copied_to_or_is_refused(tmp_path):
    for suffix in ("mp3", "flac", "wav", "ogg"):
        soundfile.write(tmp_path / f"{suffix}.{suffix}", sound(16_000), 16_000)
    for recording_id, path in take_census(str(tmp_path)).recordings.items():
        copy = copy_covered(path, f"{tmp_path}/copy", [(0.2, 0.3)], Cover())
        assert copy == (f"{tmp_path}/copy.{recording_id}", None)
        assert soundfile.info(copy.path).format == recording_id.upper()
