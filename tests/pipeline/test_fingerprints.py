"""A run knows the contents of what it is made with, and when a recording is another one."""

import os
import shutil
from dataclasses import replace

import fsspec
import pytest

from pipeline.files import write_bytes
from pipeline.fingerprints import of_file, of_files, of_row, of_settings
from pipeline.settings import NONE, Models, Settings
from pipeline.tagging import entity_groups, patterns, rules


@pytest.fixture
def settings(tmp_path) -> Settings:
    for name in ("whisper", "base", "adapters/names", "adapters/care"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "weights").write_bytes(name.encode())
    (tmp_path / "parakeet.nemo").write_bytes(b"nemo")
    models = Models(
        whisper=str(tmp_path / "whisper"),
        parakeet=str(tmp_path / "parakeet.nemo"),
        base_model=str(tmp_path / "base"),
        adapters=str(tmp_path / "adapters"),
    )
    return Settings(models=models)


def changed(settings: Settings, before: dict[str, str]) -> set[str]:
    now = of_settings(settings)
    return {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}


def test_each_model_adapter_and_table_has_a_hash_of_its_contents(settings, tmp_path):
    before = of_settings(settings)
    assert set(before) == {
        *("whisper", "parakeet", "base_model", "adapters.names", "adapters.care"),
        *("groups", "rules", "patterns", "mentions"),
    }
    assert all(len(value) == 64 for value in before.values())
    assert not changed(settings, before)
    for file, name in (
        ("whisper/weights", "whisper"),
        ("parakeet.nemo", "parakeet"),
        ("base/weights", "base_model"),
        ("adapters/care/weights", "adapters.care"),
    ):
        before = of_settings(settings)
        path = tmp_path / file
        times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
        path.write_bytes(path.read_bytes()[::-1])
        os.utime(path, ns=times)
        assert changed(settings, before) == {name}, "though size and time are the same"


def test_a_file_of_ones_own_counts_by_its_contents(settings, tmp_path):
    before = of_settings(settings)
    for name, option, module in (
        ("groups", "groups_file", entity_groups),
        ("rules", "rules", rules),
        ("patterns", "patterns", patterns),
    ):
        own = tmp_path / f"{name}.yaml"
        shutil.copy(module.BUILT_IN, own)
        with_own = replace(settings, tagger=replace(settings.tagger, **{option: own}))
        assert not changed(with_own, before)
        own.write_text(own.read_text() + "# another\n")
        assert changed(with_own, before) == {name}
    own = tmp_path / "patients.csv"
    own.write_text("recording_id,patient\n1,a\n")
    with_patients = replace(settings, tagger=replace(settings.tagger, patients=own))
    assert changed(with_patients, before) == {"patients"}


def test_what_is_not_used_and_what_is_hidden_does_not_count(settings, tmp_path):
    before = of_settings(settings)
    (tmp_path / "whisper" / ".cache").mkdir()
    (tmp_path / "whisper" / ".cache" / "lock").write_text("of the hub")
    (tmp_path / "adapters" / "README.md").write_text("notes")
    assert not changed(settings, before)
    without = replace(settings, models=replace(settings.models, parakeet=NONE, adapters=NONE))
    assert changed(without, before) == {"parakeet", "adapters.names", "adapters.care"}


def test_a_recording_is_another_one_where_its_size_or_time_is(tmp_path):
    file = tmp_path / "1.wav"
    file.write_bytes(b"one")
    before = of_file(str(file))
    assert before == of_file(str(file)) == of_file(f"file://{file}")
    file.write_bytes(b"another")
    other = of_file(str(file))
    assert other != before
    os.utime(file, (1, 1))
    assert of_file(str(file)) not in (before, other)
    assert of_file(str(tmp_path / "none.wav")) is None
    (tmp_path / "link.wav").symlink_to(file)
    assert of_file(str(tmp_path / "link.wav")) == of_file(str(file))


def test_an_object_is_another_one_where_its_storage_says_so():
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/bucket/1.wav", b"one")
    before = of_file("memory://bucket/1.wav")
    assert before and before == of_file("memory://bucket/1.wav")
    fs.pipe_file("/bucket/1.wav", b"two")
    assert of_file("memory://bucket/1.wav") != before
    assert of_file("memory://bucket/none.wav") is None


@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_files_of_a_folder_have_together_what_each_has_alone(tmp_path, scheme):
    folder = f"{scheme}{tmp_path}"
    paths = [f"{folder}/1.wav", f"{folder}/day 1/[2].wav"]
    for path in paths:
        write_bytes(path, path.encode())
    assert of_files(folder, paths) == {path: of_file(path) for path in paths}
    assert None not in of_files(folder, paths).values()
    assert of_files(folder, [f"{folder}/none.wav"]) == {f"{folder}/none.wav": None}


def test_a_given_transcript_is_another_one_where_anything_in_it_is():
    row = {"recording_id": "1", "text": "早安", "words": [{"text": "早安", "start_s": 0.5}]}
    assert of_row(row) == of_row(dict(reversed(row.items())))
    assert of_row(row) != of_row(row | {"words": []})
