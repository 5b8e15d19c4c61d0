"""Every file below a folder is a recording, counted as no audio, or hidden; names that cannot be ids are refused."""

import os
import tempfile
import unicodedata
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.settings import DecodingSettings
from pipeline.speech.audio import AudioError, decode
from pipeline.speech.census import SUFFIXES, take_census
from tests.pipeline.speech.sound_files import of_libsndfile


def make(folder: Path, *names: str) -> str:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return str(folder)


def found(folder: Path, **options) -> dict[str, str]:
    return {key: os.path.relpath(path, folder) for key, path in take_census(str(folder), **options).recordings.items()}


def test_recordings_are_found_in_subfolders_and_named_by_their_stems(tmp_path):
    make(tmp_path, "b/2.flac", "a/1.wav", "10.WAV", "a/c/3.M4A")
    assert found(tmp_path) == {"1": "a/1.wav", "2": "b/2.flac", "10": "10.WAV", "3": "a/c/3.M4A"}


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_a_file_named_as_sound_is_a_recording(tmp_path, suffix):
    assert list(found(Path(make(tmp_path, f"1.{suffix}")))) == ["1"]


def test_files_that_are_no_audio_are_counted_by_their_suffix_and_never_by_a_part_of_a_name(tmp_path):
    make(
        tmp_path, "1.wav", "notes.TXT", "a/scan.pdf", "b/more.txt", "README", "visit.0912345678", "Dr. Lin Mei", "x.王"
    )
    census = take_census(str(tmp_path))
    assert census.not_audio == {"other": 3, "txt": 2, "pdf": 1, "none": 1} and census.hidden == 0
    assert census.left_out == "7 files that are no audio (3 with another suffix, 2 .txt, 1 without a suffix, 1 .pdf)"


@pytest.mark.parametrize("ids", ["stem", "path"])
def test_hidden_files_folders_and_waste_bins_are_left_out_and_counted(tmp_path, ids):
    make(tmp_path, "1.wav", "._1.wav", ".Trash-1000/files/2.wav", ".Trash-1000/3.wav", "$RECYCLE.BIN/4.wav")
    make(tmp_path, "a/@eaDir/5.wav", "a/.cache/6.wav", "__MACOSX/7.wav", ".DS_Store", "#recycle/8.txt")
    census = take_census(str(tmp_path), ids=ids)
    assert list(census.recordings) == ["1"] and census.hidden == 8 and not census.not_audio
    assert census.left_out == "8 hidden files or folders"


def test_a_folder_that_is_missing_or_holds_no_audio_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"--valid .*nowhere: there is no such folder"):
        take_census(str(tmp_path / "nowhere"), "--valid")
    with pytest.raises(UserError, match=r"no audio in it.*; it holds 1 files that are no audio"):
        take_census(make(tmp_path, "notes.txt"))
    empty = take_census(str(tmp_path), may_be_empty=True)
    assert not empty.recordings and empty.not_audio == {"txt": 1}


def test_what_is_in_the_folder_of_results_is_not_counted(tmp_path):
    make(tmp_path, "1.wav", "notes.txt", "results/run.json", "results/parts/0.parquet")
    assert take_census(str(tmp_path), besides=f"{tmp_path}/results").not_audio == {"txt": 1}


def test_linked_files_and_folders_are_followed_and_loops_of_links_end(tmp_path):
    make(tmp_path, "elsewhere/2.wav", "elsewhere/deep/3.wav", "in/1.wav", "in/a/4.wav")
    (tmp_path / "in/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/a/loop").symlink_to(tmp_path / "in")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "in/a")
    (tmp_path / "in/5.wav").symlink_to(tmp_path / "elsewhere/deep/3.wav")
    expected = {"1": "1.wav", "2": "linked/2.wav", "3": "linked/deep/3.wav", "4": "a/4.wav", "5": "5.wav"}
    assert found(tmp_path / "in") == expected
    assert set(found(tmp_path / "in", ids="path")) == {"1", "linked__2", "linked__deep__3", "a__4", "5"}


@contextmanager
def without_the_rights_of_root():
    """Be a user who may not read everything, as a job is outside of containers."""
    if root := os.geteuid() == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.faults
def test_a_folder_that_cannot_be_read_fails_as_a_recording():
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), "1.wav", "day/closed/2.wav")
        Path(folder).chmod(0o755)
        closed = Path(folder) / "day/closed"
        closed.chmod(0)
        with without_the_rights_of_root():
            census = take_census(folder)
            assert set(census.recordings) == {"1", "day__closed__"}
            with pytest.raises(AudioError, match="a folder that cannot be read"):
                decode(census.recordings["day__closed__"], DecodingSettings())
            with pytest.raises(UserError, match=r"--audio .*closed cannot be read: Permission denied"):
                take_census(str(closed))
        closed.chmod(0o700)


@pytest.mark.faults
def test_what_is_no_regular_file_fails_and_nothing_waits_for_it(tmp_path):
    os.mkfifo(tmp_path / "1.wav")
    (tmp_path / "2.wav").symlink_to(tmp_path / "2.wav")
    (tmp_path / "3.wav").symlink_to(tmp_path / "gone.wav")
    reasons = {}
    for key, path in take_census(str(tmp_path)).recordings.items():
        with pytest.raises(AudioError) as error:
            decode(path, DecodingSettings())
        reasons[key] = str(error.value)
    assert reasons["1"] == "unreadable: no regular file" and "symbolic links" in reasons["2"]
    assert reasons["3"] == "unreadable: No such file or directory"


def test_files_with_one_stem_are_refused_and_the_way_out_is_named(tmp_path):
    make(tmp_path, "day1/001.wav", "day2/001.flac", "day1/002.wav", "day2/002.wav", "day2/003.wav")
    with pytest.raises(UserError) as error:
        take_census(str(tmp_path))
    assert str(error.value) == (
        f"{tmp_path}/day1/001.wav and {tmp_path}/day2/001.flac would both be recording 001 (and 1 more such files): "
        "give --ids path, by which they are day1__001 and day2__001, or rename one of them."
    )
    assert set(found(tmp_path, ids="path")) == {"day1__001", "day1__002", "day2__001", "day2__002", "day2__003"}


@pytest.mark.parametrize("names", [("a/1.wav", "a/1.mp3"), ("a/1.wav", "a__1.wav"), ("a/1.wav", "a/1 .wav")])
def test_files_that_no_choice_of_ids_tells_apart_have_to_be_renamed(tmp_path, names):
    make(tmp_path, *names)
    with pytest.raises(UserError, match=r"would both be recording a__1: rename one of them\.$"):
        take_census(str(tmp_path), ids="path")


def test_ids_are_composed_and_without_spaces_at_their_edges(tmp_path):
    decomposed = unicodedata.normalize("NFD", "Müller")
    make(tmp_path, f"{decomposed}.wav", " 7 .wav", "8.wav ")
    census = take_census(str(tmp_path))
    assert set(census.recordings) == {"Müller", "7", "8"}
    assert all(Path(path).is_file() for path in census.recordings.values())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "a\tb.wav",
            r"'.*a\\tb\.wav': its name cannot be a recording's id, as it has a control character.*: rename it",
        ),
        ("a\\b.wav", "as it has a slash"),
        (os.fsdecode("病房.wav".encode("big5")), "as it is not in UTF-8 but perhaps in Big5"),
        (os.fsdecode("病房/1.wav".encode("big5")), "as it is not in UTF-8 but perhaps in Big5"),
        (f"{'王' * 83}.wav", "as it is longer than 240 bytes"),
    ],
)
def test_a_name_that_cannot_be_an_id_is_refused_by_its_true_reason(tmp_path, name, reason):
    make(tmp_path, name, "good.wav")
    with pytest.raises(UserError, match=reason):
        take_census(str(tmp_path))


def test_how_many_names_have_to_be_changed_is_said_at_once(tmp_path):
    make(tmp_path, "a\tb.wav", "c\td.wav", "e\tf.wav")
    with pytest.raises(UserError, match=r"a\\tb.*\(and 2 more such files\)\.$"):
        take_census(str(tmp_path))


@pytest.mark.parametrize(
    "name", ["visit[1].wav", "a*b.wav", "12::30.wav", "100%.wav", "#5.wav", "a?.wav", "http:x.wav"]
)
def test_a_file_with_any_other_name_can_be_opened(tmp_path, name):
    (tmp_path / name).write_bytes(of_libsndfile("WAV", "PCM_16"))
    (path,) = take_census(str(tmp_path)).recordings.values()
    assert decode(path, DecodingSettings()).duration_s == 6.0
