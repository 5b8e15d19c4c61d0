"""A folder of real recordings and of sounds in which nobody speaks, through real models: pytest -m real -s."""

import csv
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from jobs import predict
from pipeline.run_folder import read_run
from pipeline.settings import DecodingSettings
from pipeline.speech.audio import decode
from pipeline.speech.language import language_of
from tests.benchmarks.recognition import Recording, error_rates
from tests.nonspeech import SOUNDS, laughter
from tests.real_models import real_model

pytestmark = pytest.mark.real

SECONDS = 20.0
LANGUAGES = ("en", "zh")
DIGITS = frozenset(["zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])


def files(shared: Path) -> list[Path]:
    return [file for file in (shared / "speech").rglob("*") if file.is_file() and file.suffix not in (".tsv", ".json")]


@pytest.fixture(scope="module")
def clips(shared: Path) -> dict[str, dict[str, str]]:
    """Rows of clips.tsv by recording id."""
    with (shared / "speech" / "clips.tsv").open(encoding="utf-8") as file:
        return {Path(row["path"]).stem: row for row in csv.DictReader(file, delimiter="\t")}


@pytest.fixture(scope="module")
def joined(clips: dict[str, dict[str, str]], shared: Path) -> tuple[np.ndarray, dict[str, float]]:
    """Clips of 2 s and more in both languages by turns, with pauses between them; and where each starts, in seconds."""
    own = [
        [i for i, clip in clips.items() if clip["lang"] == lang and float(clip["duration"]) >= 2] for lang in LANGUAGES
    ]
    random, parts, starts = np.random.default_rng(0), [], {}
    for i in (i for both in zip(*own, strict=False) for i in both):
        starts[i] = sum(map(len, parts)) / 16_000
        samples = decode(str(shared / "speech" / clips[i]["path"]), DecodingSettings()).samples
        parts += [samples, random.normal(0, 0.0005, int(random.uniform(0.4, 1.5) * 16_000)).astype(np.float32)]
    return np.concatenate(parts), starts


@pytest.fixture(scope="module")
def run(
    ray_cluster: Any,
    shared: Path,
    joined: tuple[np.ndarray, dict[str, float]],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, dict[str, Any]]:
    """The rows of each table of the run, by recording id."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "audio").mkdir()
    for file in files(shared):
        (folder / "audio" / file.name).symlink_to(file)
    for name, sound in (SOUNDS | {"laughter": laughter}).items():
        soundfile.write(folder / "audio" / f"nobody {name}.wav", sound(SECONDS), 16_000)
    soundfile.write(folder / "audio" / "long.wav", joined[0], 16_000, subtype="FLOAT")
    options = ["--profile", "laptop", "--whisper", real_model("whisper-base"), "--base-model", real_model("qwen2.5")]
    predict.main(["--audio", str(folder / "audio"), "--out", str(folder / "run"), *options])
    read = read_run(str(folder / "run"))
    return {name: {row["recording_id"]: row for row in table.to_pylist()} for name, table in read.items()}


def test_every_file_is_a_transcript_or_a_failure(run, shared):
    assert len(run["transcripts"]) + len(run["failures"]) == len(files(shared)) + len(SOUNDS) + 2


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


def test_each_part_of_a_long_recording_is_in_its_own_language_at_its_own_time(run, clips, joined, capsys):
    starts = joined[1]
    heard: dict[str, list[dict[str, Any]]] = {i: [] for i in starts}
    for word in run["transcripts"]["long"]["words"]:
        heard[max((i for i in starts if starts[i] <= word["end_s"]), key=starts.__getitem__)].append(word)
    wrong = [
        i for i, words in heard.items() if language_of("".join(w["text"] for w in words[1:-1])) != clips[i]["lang"]
    ]
    offs = []
    for i, words in heard.items():
        alone = run["transcripts"][i]["words"]
        blocks = SequenceMatcher(None, [w["text"] for w in alone], [w["text"] for w in words], autojunk=False)
        for block in blocks.get_matching_blocks():
            for number in range(block.size):
                one, other = alone[block.a + number], words[block.b + number]
                offs.append(abs(other["start_s"] - starts[i] - one["start_s"]))
    with capsys.disabled():
        print(f"\n{len(joined[0]) / 16_000:.0f} s: {len(wrong)} of {len(starts)} clips in another language, ", end="")
        print(f"starts of {len(offs)} words off by {np.median(offs):.3f} s at the median")
    assert len(wrong) / len(starts) <= 0.05 and len(offs) > 300 and np.median(offs) <= 0.1
