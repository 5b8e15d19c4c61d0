"""A folder of real recordings and of sounds in which nobody speaks, through real models: pytest -m real -s."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from jobs import predict
from pipeline.run_folder import read_run
from pipeline.speech.language import language_of
from tests.benchmarks.recognition import Recording, error_rates
from tests.nonspeech import SOUNDS, laughter
from tests.real_models import real_model

pytestmark = pytest.mark.real

SECONDS = 20.0
DIGITS = frozenset(["zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])


def files(shared: Path) -> list[Path]:
    return [file for file in (shared / "speech").rglob("*") if file.is_file() and file.suffix not in (".tsv", ".json")]


@pytest.fixture(scope="module")
def clips(shared: Path) -> dict[str, dict[str, str]]:
    """Rows of clips.tsv by recording id."""
    with (shared / "speech" / "clips.tsv").open(encoding="utf-8") as file:
        return {Path(row["path"]).stem: row for row in csv.DictReader(file, delimiter="\t")}


@pytest.fixture(scope="module")
def run(ray_cluster: Any, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The rows of each table of the run, by recording id."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "audio").mkdir()
    for file in files(shared):
        (folder / "audio" / file.name).symlink_to(file)
    for name, sound in (SOUNDS | {"laughter": laughter}).items():
        soundfile.write(folder / "audio" / f"nobody {name}.wav", sound(SECONDS), 16_000)
    options = ["--profile", "laptop", "--whisper", real_model("whisper-base"), "--base-model", real_model("qwen2.5")]
    predict.main(["--audio", str(folder / "audio"), "--out", str(folder / "run"), *options])
    read = read_run(str(folder / "run"))
    return {name: {row["recording_id"]: row for row in table.to_pylist()} for name, table in read.items()}


def test_every_file_is_a_transcript_or_a_failure(run, shared):
    assert len(run["transcripts"]) + len(run["failures"]) == len(files(shared)) + len(SOUNDS) + 1


def test_the_language_is_right_and_english_has_no_ideograph(run, clips):
    wrong = [i for i, clip in clips.items() if language_of(run["transcripts"][i]["text"]) != clip["lang"]]
    assert len(wrong) / len(clips) <= 0.02
    assert not [i for i in wrong if clips[i]["lang"] == "en"]


def test_error_rates(run, clips, capsys):
    """Of English sentences and of all Mandarin clips; strings of digits are written as digits, which says nothing."""
    said = {
        i: Recording(clip["path"], np.zeros(0), clip["reference"])
        for i, clip in clips.items()
        if clip["lang"] == "zh" or len(set(clip["reference"].lower().split()) - DIGITS) > 5
    }
    rates = error_rates(list(said.values()), [run["transcripts"][i]["text"] for i in said])
    english = sum(clips[i]["lang"] == "en" for i in said)
    with capsys.disabled():
        print(f"\nWER {rates['wer']:.3f} of {english} English sentences, ", end="")
        print(f"CER {rates['cer']:.3f} of {len(said) - english} Mandarin clips")
    assert rates["wer"] <= 0.10 and rates["cer"] <= 0.17


def test_where_nobody_speaks_nothing_is_written_and_the_reason_stands_there(run):
    for name in SOUNDS:
        transcript = run["transcripts"][f"nobody {name}"]
        assert (transcript["text"], transcript["recognizer"]) == ("", "silence")
    laughter = run["transcripts"]["nobody laughter"]
    assert laughter["text"] == "" and (
        laughter["recognizer"] == "silence" or run["recordings"]["nobody laughter"]["note"]
    )


def test_a_recording_that_changes_its_language_is_written_in_both(run):
    text = run["transcripts"]["az_en-us_zh-cn"]["text"]
    assert "weather" in text and "天氣" in text and "圖書館" in text
