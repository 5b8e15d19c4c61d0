"""One folder with every kind of file: each ends as a transcript, a failure, or counted as what it is."""

import json
import os

import pytest

from jobs import predict, redact
from tests.jobs.test_predict import check_run
from tests.pipeline.speech.test_reader import NOTED, REFUSED, WHOLE

pytestmark = pytest.mark.faults


def test_the_census_of_a_folder_with_everything_adds_up(ray_cluster, model_options, tmp_path, capsys):
    audio, out = tmp_path / "audio [1]", tmp_path / "out"
    made = {
        f"{folder}/{name}.{'wma' if name == 'wma' else 'wav'}": make()
        for folder, some in (("whole", WHOLE), ("noted", NOTED), ("refused", REFUSED))
        for name, (make, *_) in some.items()
    }
    made |= {"day1/001.wav": WHOLE["wav"][0](), "day2/001.MP3": WHOLE["mp3"][0](), "12::30.wav": WHOLE["flac"][0]()}
    made |= {"dictation.ds2": b"\3ds2" + bytes(900), "phone.raw": bytes(9_000)}
    beside = {"notes.txt": b"x", "day1/scan.pdf": b"x", "day2/more.txt": b"x", "README": b"x", "Dr. Lin": b"x"}
    hidden = {".Trash-1000/files/old.wav": WHOLE["wav"][0](), "day1/._001.wav": b"x"}
    for name, content in (made | beside | hidden).items():
        (audio / name).parent.mkdir(parents=True, exist_ok=True)
        (audio / name).write_bytes(content)
    os.mkfifo(audio / "pipe.wav")

    arguments = ["--audio", str(audio), "--out", str(out), "--ids", "path", "--max-failures", "1", *model_options]
    arguments += ["--parakeet", "none"]  # what Whisper writes is enough
    predict.main(arguments)

    printed, summary = capsys.readouterr().out, json.loads((out / "summary.json").read_text())
    found = check_run(out, {name.rpartition(".")[0].replace("/", "__") for name in [*made, "pipe.wav"]})
    left_out = "5 files that are no audio (2 .txt, 1 without a suffix, 1 with another suffix, 1 .pdf); 2 hidden files"
    assert f"Left out below --audio: {left_out} or folders.\n" in printed
    assert summary["not_audio"] == {"txt": 2, "none": 1, "other": 1, "pdf": 1} and summary["hidden"] == 2
    every = sum(len(files) for _, _, files in os.walk(audio))
    assert (
        every == summary["transcripts"] + summary["failures"] + sum(summary["not_audio"].values()) + summary["hidden"]
    )

    failures = {row["recording_id"]: row["error"] for row in found["failures"]}
    assert f"{len(failures)} failures: " in printed and "decode (AudioError: " in printed
    assert set(failures) == {f"refused__{name}" for name in REFUSED} | {"dictation", "phone", "pipe"}
    assert all(error.startswith("AudioError: ") for error in failures.values())
    notes = {row["recording_id"]: row["note"] for row in found["recordings"] if row["note"]}
    assert set(notes) == {f"noted__{name}" for name in NOTED} and summary["with_note"] == len(notes)

    redact.main(["--run", str(out), "--out", str(tmp_path / "redacted")])
    log = json.loads((tmp_path / "redacted" / "redaction_log.json").read_text())
    of_their_audio = {each["recording_id"] for each in log["withheld"] if not each["reason"].endswith("has no time")}
    assert of_their_audio == set(failures), "times are the tiny tagger's fault, audio would be the copies'"
    assert log["recordings"] == len(list((tmp_path / "redacted" / "audio").iterdir())) > 20
    assert all("FLAC" in each["note"] or "pictures" in each["note"] for each in log["notes"])
