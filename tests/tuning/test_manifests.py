"""A fault in a manifest costs a sentence, before anything starts."""

import json

import pytest

from pipeline.errors import UserError
from tests.tones import write_manifests
from tuning.manifests import Counts, check

SECRET = "Mr Wang"


@pytest.fixture
def folder(tmp_path):
    write_manifests(tmp_path, 3, 2)
    return tmp_path


def test_recordings_within_the_limits_are_counted(folder):
    lines = (folder / "train.jsonl").read_text().splitlines()
    durations = sorted(json.loads(line)["duration"] for line in lines)
    most = (durations[1] + durations[2]) / 2
    found = check(folder, 0.1, most)
    assert found["train"] == Counts(2, round(sum(durations[:2]) / 3600, 6), 1)
    assert found["valid"].recordings + found["valid"].left_out == 2


def test_an_audio_path_may_be_relative_to_the_manifest(folder):
    file = folder / "train.jsonl"
    file.write_text(file.read_text().replace(f"{folder}/", ""))
    assert check(folder, 0.1, 35.0)["train"].recordings == 3


def test_a_line_separator_within_a_transcript_ends_no_line(folder):
    entry = json.loads((folder / "train.jsonl").read_text().splitlines()[0]) | {"text": "one\u2028two"}
    (folder / "train.jsonl").write_text(json.dumps(entry, ensure_ascii=False) + "\n", encoding="utf-8")
    assert check(folder, 0.1, 35.0)["train"].recordings == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "--manifests: there is no {file}: give the folder manifests/ that jobs.prepare makes"),
        ("", "{file} is empty"),
        ("\n\n", "{file} is empty"),
        (f"{SECRET}\n", "{file}, line 1: not a line of a NeMo manifest"),
        ("[1]\n", "{file}, line 1: not a line of a NeMo manifest"),
        (
            f'{{"audio_filepath": "0.wav", "duration": "long", "text": "{SECRET}"}}',
            "{file}, line 1: not a line of a NeMo manifest",
        ),
        (
            f'\n{{"audio_filepath": "none.wav", "duration": 1.0, "text": "{SECRET}"}}',
            "{file}, line 2: there is no audio file {folder}/none.wav.",
        ),
        (
            f'{{"audio_filepath": "0.wav", "duration": 99.5, "text": "{SECRET}"}}',
            "{file}: none of its 1 recordings is from 0.1 to 35 s long: change --min-duration-s or --max-duration-s.",
        ),
    ],
    ids=["missing", "empty", "blank", "no JSON", "no object", "no number", "no audio", "too long"],
)
def test_a_manifest_that_cannot_be_trained_on_is_refused_without_its_text(folder, content, sentence):
    file = folder / "valid.jsonl"
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(UserError) as refused:
        check(folder, 0.1, 35.0)
    assert str(refused.value).startswith(sentence.format(file=file, folder=folder))
    assert SECRET not in str(refused.value)
