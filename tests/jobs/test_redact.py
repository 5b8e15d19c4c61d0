"""Redaction of a run: recordings and transcripts go out without their entities, or not at all."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from jobs import merge, redact
from pipeline import submission, tables
from pipeline.errors import UserError
from pipeline.outputs.redaction import REDACTIONS
from pipeline.speech.words import Piece, transcript_from_pieces

ROOT = Path(__file__).parents[2]
TEXTS = {
    "1": ("Ann Lee came on May 5 , Ann said .", [("PATIENT", "Ann Lee"), ("DATE", "May 5")]),
    "2": ("王小明 在 鳳山醫院 看 Lee 醫師", [("PATIENT", "王小明"), ("HOSPITAL", "鳳山醫院"), ("DOCTOR", "Lee")]),
    "10": ("nothing to hide", []),
}
SECRETS = ["Ann", "Lee", "May 5", "王小明", "鳳山"]


def write_run(folder: Path, texts: Mapping[str, tuple[str, list[tuple[str, str]]]] = TEXTS) -> Path:
    """Write a run on three made-up recordings in several formats; words take half a second each.

    Args:
        folder: Where to write.
        texts: What is said, with the type and the text of its entities, by recording id.
    """
    audio, run = folder / "recordings", folder / "run"
    audio.mkdir(parents=True)
    recordings, transcripts, entities = [], [], []
    for (i, (text, labels)), (suffix, rate, channels, subtype) in zip(
        texts.items(),
        [("wav", 16_000, 1, "PCM_24"), ("flac", 44_100, 2, "PCM_16"), ("wav", 8_000, 1, "PCM_U8")],
        strict=True,
    ):
        words = text.split(" ")
        pieces = [Piece(f" {word}", n / 2, n / 2 + 0.4) for n, word in enumerate(words)]
        transcript = transcript_from_pieces(pieces, len(words) / 2, "whisper")
        path, seconds = audio / f"{i}.{suffix}", len(words) / 2
        noise = np.random.default_rng(0).uniform(-0.9, 0.9, (int(seconds * rate), channels))
        soundfile.write(path, noise, rate, subtype=subtype)
        facts = {"path": str(path), "duration_s": seconds, "sample_rate": rate, "channels": channels}
        recordings.append({"recording_id": i} | facts)
        transcripts.append({"recording_id": i} | transcript.to_row())
        for type_, label in labels:
            start = text.index(label)
            start_s, end_s = transcript.times(start, start + len(label))
            place = {"char_start": start, "char_end": start + len(label), "start_s": start_s, "end_s": end_s}
            about = {"recording_id": i, "type": type_, "group": "", "text": label, "source": "adapter", "kept": True}
            entities.append(about | place)
    entities.append(entities[0] | {"type": "CITY", "kept": False})
    rows = {"recordings": recordings, "transcripts": transcripts, "entities": entities, "failures": []}
    for name, table in rows.items():
        tables.write(tables.from_rows(table, tables.SCHEMAS[name]), str(run / name))
    return run


def change(run: Path, name: str, edit) -> None:
    rows = tables.read(str(run / name), tables.SCHEMAS[name]).to_pylist()
    tables.write(tables.from_rows(edit(rows), tables.SCHEMAS[name]), str(run / name))


@pytest.fixture
def run(tmp_path) -> Path:
    return write_run(tmp_path)


def redacted(run: Path, *arguments: str, out: str = "out") -> tuple[Path, dict]:
    folder = run.parent / out
    redact.main(["--run", str(run), "--out", str(folder), *arguments])
    return folder, json.loads((folder / "redaction_log.json").read_text(encoding="utf-8"))


def add(run: Path, type_: str, label: str, at: int, **values) -> None:
    """Find something more in the first recording."""
    text = TEXTS["1"][0]
    start = text.index(label, at)
    place = {"char_start": start, "char_end": start + len(label)}
    first = {"type": type_, "text": label, "start_s": 0.0, "end_s": 0.4} | place | values
    change(run, "entities", lambda rows: [*rows, rows[0] | first])


def test_what_an_entity_that_lost_an_overlap_covers_is_redacted_too(run):
    change(run, "entities", lambda rows: [row for row in rows if row["recording_id"] != "1"])
    add(run, "PERSONALNAME", "Ann", 0, recording_id="1")
    add(run, "PATIENT", "Ann Lee", 0, recording_id="1", end_s=0.9, kept=False, cause="overlap")
    add(run, "DATE", "May 5", 0, recording_id="1", start_s=2.0, end_s=2.9, kept=False, cause="threshold")
    out, log = redacted(run)
    line = (out / "task1_answer.txt").read_text(encoding="utf-8").splitlines()[0]
    assert line == "1\t[PATIENT] came on May 5 , [PERSONALNAME] said ."
    assert [(entry["start_s"], entry["end_s"]) for entry in log["redactions"] if entry["recording_id"] == "1"] == [
        (0.0, 0.4),
        (0.0, 0.9),
        (3.5, 3.9),
    ]


def test_a_span_that_ends_inside_a_word_takes_the_word(run):
    add(run, "ID_NUMBER", "sai", 0, recording_id="1", start_s=3.5, end_s=3.9)
    out, _ = redacted(run)
    assert "[ID_NUMBER] ." in (out / "task1_answer.txt").read_text(encoding="utf-8").splitlines()[0]


def test_an_id_that_leads_elsewhere_is_withheld(run):
    for name in ("recordings", "transcripts", "entities"):
        change(run, name, lambda rows: [r | {"recording_id": r["recording_id"].replace("10", "../10")} for r in rows])
    out, log = redacted(run)
    assert [entry["recording_id"] for entry in log["withheld"]] == ["../10"]
    assert not (out / "10.wav").exists()


def test_a_merged_run_can_be_redacted_and_a_folder_without_entities_cannot(run, tmp_path):
    twin, both = shutil.copytree(run, tmp_path / "twin"), tmp_path / "both"
    merge.main(["vote", "--run", str(run), "--run", str(twin), "--out", str(both)])
    redact.main(["--run", str(both), "--out", str(tmp_path / "of both")])
    out, _ = redacted(run)
    for file in [Path("task1_answer.txt"), *(path.relative_to(out) for path in (out / "audio").iterdir())]:
        assert (tmp_path / "of both" / file).read_bytes() == (out / file).read_bytes()
    shutil.rmtree(both / "entities")
    with pytest.raises(UserError, match="holds no finished run"):
        redact.main(["--run", str(both), "--out", str(tmp_path / "nothing")])


def test_recordings_are_silent_in_the_entities_and_untouched_elsewhere(run):
    out, log = redacted(run)
    assert sorted(path.name for path in (out / "audio").iterdir()) == ["1.wav", "10.wav", "2.flac"]
    assert log["recordings"] == 3 and not log["withheld"]
    for i, name in (("1", "1.wav"), ("2", "2.flac"), ("10", "10.wav")):
        old, new = soundfile.info(run.parent / "recordings" / name), soundfile.info(out / "audio" / name)
        assert (old.format, old.subtype, old.samplerate, old.channels, old.frames) == (
            (new.format, new.subtype, new.samplerate, new.channels, new.frames)
        )
        before = soundfile.read(run.parent / "recordings" / name, dtype="int32", always_2d=True)[0]
        after = soundfile.read(out / "audio" / name, dtype="int32", always_2d=True)[0]
        times = np.arange(len(after)) / new.samplerate
        outside = np.ones(len(after), bool)
        for entry in (entry for entry in log["redactions"] if entry["recording_id"] == i):
            assert not after[(times >= entry["start_s"]) & (times < entry["end_s"])].any()
            outside &= (times < entry["start_s"] - 0.1001) | (times > entry["end_s"] + 0.1001)
        assert outside.any() and np.array_equal(after[outside], before[outside])


def test_a_beep_is_heard_where_it_is_wanted(run):
    out, _ = redacted(run, "--with", "beep", "--padding-s", "0")
    samples, rate = soundfile.read(out / "audio" / "1.wav")
    heard = samples[int(0.1 * rate) : int(0.8 * rate)]
    assert np.argmax(np.abs(np.fft.rfft(heard))) * rate / len(heard) == pytest.approx(1000, abs=2)
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(0.1 / np.sqrt(2), rel=0.01)


def test_transcripts_hold_placeholders_and_the_log_no_text(run, capsys):
    out, log = redacted(run, "--vtt", "--textgrid")
    assert submission.read_task1(str(out / "task1_answer.txt")) == {
        "1": "[PATIENT] came on [DATE] , [PATIENT] said .",
        "2": "[PATIENT] 在 [HOSPITAL] 看 [DOCTOR] 醫師",
        "10": "nothing to hide",
    }
    assert "<c.PATIENT>[PATIENT]</c> came on" in (out / "subtitles" / "1.vtt").read_text(encoding="utf-8")
    assert 'text = "HOSPITAL"' in (out / "textgrids" / "2.TextGrid").read_text(encoding="utf-8")
    assert log["redacted"] == {"DATE": 1, "DOCTOR": 1, "HOSPITAL": 1, "PATIENT": 3}, "Ann Lee is also Ann"
    keys = {"recording_id", "type", "start_s", "end_s", "audio", "text"}
    assert all(set(entry) == keys for entry in log["redactions"])
    assert log["redactions"] == tables.read(str(out / "redactions"), REDACTIONS).to_pylist()
    printed = capsys.readouterr()
    written = [path for path in out.rglob("*") if path.is_file() and path.name != "task1_answer.txt"]
    everything = b"".join(path.read_bytes() + path.name.encode() for path in written if path.parent.name != "subtitles")
    for secret in SECRETS[1:]:
        assert secret.encode() not in everything and secret not in printed.out + printed.err
    assert "no certified de-identification" in log["notice"] and log["notice"] in printed.out


def test_surrogates_are_the_same_in_all_transcripts_and_again_with_the_seed(run):
    out, log = redacted(run, "--text", "surrogates", "--seed", "5")
    texts = submission.read_task1(str(out / "task1_answer.txt"))
    last = texts["1"].split(" ")[1]
    assert f"看 {last} 醫師" in texts["2"] and "Ann Lee" not in texts["1"] and "王小明" not in texts["2"]
    again, _ = redacted(run, "--text", "surrogates", "--seed", "5", out="again")
    other, _ = redacted(run, "--text", "surrogates", out="other")
    assert submission.read_task1(str(again / "task1_answer.txt")) == texts
    assert submission.read_task1(str(other / "task1_answer.txt")) != texts
    assert "seed" not in json.dumps(log) and "seed" not in (out / "redact.json").read_text()


def test_only_the_types_asked_for_are_redacted_and_what_is_left_in_is_said(run, capsys):
    out, log = redacted(run, "--types", "PATIENT", "DOCTOR")
    assert submission.read_task1(str(out / "task1_answer.txt"))["1"] == "[PATIENT] came on May 5 , [PATIENT] said ."
    assert log["types_left_in"] == {"DATE": 1, "HOSPITAL": 1}
    assert "Left in, as --types asks: 1 DATE, 1 HOSPITAL." in capsys.readouterr().out


def test_overlapping_entities_are_redacted_as_one(run):
    change(
        run,
        "entities",
        lambda rows: [
            *rows,
            rows[0]
            | {"type": "FAMILYNAME", "text": "Lee came"}
            | {"char_start": 4, "char_end": 12, "start_s": 0.5, "end_s": 1.4},
        ],
    )
    out, _ = redacted(run)
    assert submission.read_task1(str(out / "task1_answer.txt"))["1"] == "[FAMILYNAME] on [DATE] , [PATIENT] said ."
    samples, rate = soundfile.read(out / "audio" / "1.wav")
    assert not samples[: int(1.4 * rate)].any()


@pytest.mark.parametrize(
    ("name", "chosen", "fields", "reason"),
    [
        ("failures", None, {"stage": "tag", "error": "Error: x"}, "failed in the run"),
        ("transcripts", {"recording_id": "2"}, None, "no transcript"),
        ("recordings", {"recording_id": "2"}, None, "does not know its audio"),
        ("recordings", {"recording_id": "2"}, {"duration_s": 9.0}, "s long"),
        ("recordings", {"recording_id": "2"}, {"path": "http://127.0.0.1:9/2.flac"}, "an address of http, which is"),
        ("entities", {"type": "HOSPITAL"}, {"char_start": None}, "no place"),
        ("entities", {"type": "HOSPITAL"}, {"text": "x"}, "no place"),
    ],
    ids=["failed", "no transcript", "no audio", "other audio", "an address", "no place", "other text"],
)
def test_a_recording_that_is_not_surely_redacted_is_withheld_and_listed(run, name, chosen, fields, reason):
    def edit(rows: list[dict]) -> list[dict]:
        if chosen is None:
            return [{"recording_id": "2"} | fields]
        matches = [all(row[key] == value for key, value in chosen.items()) for row in rows]
        assert any(matches)
        pairs = zip(rows, matches, strict=True)
        return [row | (fields or {}) if match else row for row, match in pairs if fields or not match]

    change(run, name, edit)
    out, log = redacted(run, "--vtt")
    assert [entry["recording_id"] for entry in log["withheld"]] == ["2"] and reason in log["withheld"][0]["reason"]
    assert set(submission.read_task1(str(out / "task1_answer.txt"))) == {"1", "10"}
    assert not any(path.stem == "2" for path in out.rglob("*"))
    assert all(entry["recording_id"] != "2" for entry in log["redactions"])


@pytest.mark.parametrize("times", [{"start_s": None}, {"start_s": 1.0, "end_s": 1.0}, {"start_s": 2.0, "end_s": 1.0}])
def test_an_entity_without_a_time_has_that_of_its_words(run, times):
    change(run, "entities", lambda rows: [row | times if row["type"] == "HOSPITAL" else row for row in rows])
    _, log = redacted(run)
    assert not log["withheld"] and not log["widened"]
    assert [(e["start_s"], e["end_s"]) for e in log["redactions"] if e["type"] == "HOSPITAL"] == [(1.0, 1.4)]


def test_words_without_a_length_are_covered_up_to_their_neighbours_and_listed(run, capsys):
    def edit(rows: list[dict]) -> list[dict]:
        for row in rows:
            if row["recording_id"] == "2":
                row["words"] = [w | {"end_s": w["start_s"]} if w["text"] in "鳳山醫院" else w for w in row["words"]]
        return rows

    change(run, "transcripts", edit)
    change(run, "entities", lambda rows: [row | {"start_s": None} for row in rows])
    out, log = redacted(run)
    assert not log["withheld"]
    assert log["widened"] == [{"recording_id": "2", "type": "HOSPITAL", "start_s": 0.9, "end_s": 1.5}]
    samples, rate = soundfile.read(out / "audio" / "2.flac")
    assert not samples[int(0.9 * rate) : int(1.5 * rate)].any()
    assert "1 entities had words without a time" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"no sound", None], ids=["unreadable", "missing"])
def test_a_recording_whose_audio_cannot_be_read_now_is_withheld(run, content):
    path = run.parent / "recordings" / "2.flac"
    path.unlink()
    if content:
        path.write_bytes(content)
    out, log = redacted(run)
    assert log["withheld"][0]["reason"].startswith("audio unreadable") and str(run.parent) not in json.dumps(
        log["withheld"]
    )
    assert sorted(path.name for path in (out / "audio").iterdir()) == ["1.wav", "10.wav"]


@pytest.mark.faults
def test_a_finished_folder_stays_unless_it_may_be_overwritten_and_an_unfinished_one_is_made_again(run):
    out, _ = redacted(run)
    with pytest.raises(UserError, match="--overwrite"):
        redacted(run)
    (out / "audio" / "99.wav").write_bytes(b"of an earlier call")
    redacted(run, "--overwrite")
    assert not (out / "audio" / "99.wav").exists()
    (out / "redaction_log.json").unlink()
    redacted(run)


@pytest.mark.faults
def test_nothing_that_others_made_is_replaced(run):
    (run.parent / "full").mkdir()
    (run.parent / "full" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        redacted(run, out="full")
    for out in ("run", "run/redacted", "recordings", "."):
        with pytest.raises(UserError, match="a folder of its own"):
            redacted(run, out=out)
    shutil.move(run / "transcripts", run.parent / "elsewhere")
    with pytest.raises(UserError, match="no finished run"):
        redacted(run)


def test_a_users_mistake_is_one_sentence_and_exit_status_1(run):
    for arguments, sentence in (
        (["--types", "PATIENTS"], "--types PATIENTS: there is no type PATIENTS; the nearest is PATIENT."),
        (["--padding-s", "-1"], "--padding-s -1.0: give a number of seconds from 0."),
        (["--run", "nowhere"], "--run nowhere holds no finished run"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "jobs.redact", "--run", str(run), "--out", str(run.parent / "o"), *arguments],
            cwd=ROOT, env=os.environ, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 1 and done.stderr.startswith(sentence) and "Traceback" not in done.stderr
    assert not (run.parent / "o").exists()


def test_what_an_allow_list_names_stays_in_text_and_sound_and_is_counted(run, tmp_path, capsys):
    everything, _ = redacted(run)
    kept = {label for _, labels in TEXTS.values() for type_, label in labels if type_ == "HOSPITAL"}
    assert kept
    allow = tmp_path / "staff.txt"
    allow.write_text("# the hospital\n\n" + "\n".join(f"  {label.upper()}" for label in kept), encoding="utf-8")
    folder, log = redacted(run, "--allow", str(allow), out="allowed")
    before, after = (submission.read_task1(str(each / "task1_answer.txt")) for each in (everything, folder))
    for label in kept:
        assert not any(label in text for text in before.values()) and any(label in text for text in after.values())
    assert log["allowed"] == {"HOSPITAL": len(kept)} and "HOSPITAL" not in log["redacted"]
    assert f"Left in, as --allow lists them: {len(kept)} HOSPITAL." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "holds no text"), (b"# nobody\n", "holds no text"), ("王醫師".encode("big5"), "seems to be in Big5")],
)
def test_an_allow_list_of_nothing_is_refused(run, tmp_path, content, sentence):
    (tmp_path / "staff.txt").write_bytes(content)
    with pytest.raises(UserError, match=f"--allow .*staff.txt {sentence}|--allow .*{sentence}"):
        redacted(run, "--allow", str(tmp_path / "staff.txt"))
    with pytest.raises(UserError, match=r"--allow .*nowhere\.txt cannot be read"):
        redacted(run, "--allow", "nowhere.txt")
