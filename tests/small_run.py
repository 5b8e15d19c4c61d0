"""A run of three recordings, one of which failed, as its stages would have written it."""

from pathlib import Path

from pipeline import tables
from pipeline.run_closing import close_run
from pipeline.run_folder import Plan, asked_for, plan
from pipeline.run_parts import RESULT
from pipeline.settings import Settings

SETTINGS = Settings()
IDS = ["3", "9", "10"]
SHA256 = {"whisper": "ab12", "rules": "cd34"}


def rows(*ids: str, **changed: str) -> dict[str, dict]:
    """Return recordings as a census gives them."""
    return {
        i: {"recording_id": i, "path": f"/data/{i}.flac", "fingerprint": changed.get(f"_{i}", "1 bytes")} for i in ids
    }


def planned(out, recordings=None, source="/data", settings=SETTINGS, sha256=SHA256, **options) -> Plan:
    options = {"overwrite": False} | options
    return plan(str(out), asked_for({"audio": source}, settings, sha256), recordings or rows(*IDS), **options)


def begun(out, *arguments, **options) -> Plan:
    made = planned(out, *arguments, **options)
    made.begin()
    return made


def closed(out, recordings=None, seconds=1.0) -> dict:
    return close_run(str(out), recordings or rows(*IDS), seconds)


def word(text, char_start, start_s):
    times = {"start_s": start_s, "end_s": start_s + 0.2, "confidence": None}
    return {"text": text, "char_start": char_start, "char_end": char_start + len(text)} | times


def result(recording_id, text="早安 Lee", failure=None, **fields):
    entity = {"type": "PATIENT", "group": "names", "text": "Lee", "char_start": 3, "char_end": 6, "confidence": 0.5}
    entity |= {"start_s": 0.4, "end_s": 0.6, "source": "adapter", "kept": True}
    timings = [{"stage": "whisper", "worker": "w1", "load_s": 2.0, "seconds": 0.25}]
    timings += [{"stage": "decode", "worker": recording_id, "load_s": 0.0, "seconds": 0.125}]
    row = {"recording_id": recording_id, "path": f"/data/{recording_id}.flac", "fingerprint": "1 bytes"}
    row |= {"timings": timings, "words": []}
    row |= {"entities": [], "failure": failure}
    if not failure:
        row |= {"duration_s": 1.5, "sample_rate": 8_000, "channels": 1, "language": "zh", "text": text}
        row |= {"recognizer": "whisper", "words": [word("早", 0, 0.0), word("安", 1, 0.2), word("Lee", 3, 0.4)]}
        row |= {"entities": [entity, entity | {"type": "DOCTOR", "kept": False}]}
    return row | fields


def contents(out) -> dict[str, bytes]:
    """Return what a run's files hold, by name."""
    files = sorted(file for file in Path(out).rglob("*") if file.is_file())
    return {file.relative_to(out).as_posix(): file.read_bytes() for file in files}


def write_parts(out, *parts):
    for number, rows in enumerate(parts):
        tables.write(tables.from_rows(rows, RESULT), f"{out}/parts", f"part-{number}")


FAILED = result("3", failure={"stage": "decode", "error": "AudioError: no samples"})
