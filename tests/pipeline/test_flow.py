"""The stream: every recording leaves it, a bad one costs only itself, and each actor loads its model once."""

import itertools
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import torch
from ray import cloudpickle

from pipeline import flow, stages, tables
from pipeline.arrivals import Arrivals
from pipeline.errors import UserError
from pipeline.inputs import of_paths
from pipeline.run_parts import RESULT
from pipeline.settings import NONE, DecodingSettings, Models, Settings, TaggerSettings, without_recognition
from pipeline.speech.words import Piece, Transcript, Word, transcript_from_pieces
from pipeline.tagging.entities import Entity
from pipeline.tagging.post_processing import PostProcessor

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not import the tests

POISON, BROKEN, MANDARIN, MUTE, FAULTY = (round(16_000 * seconds) for seconds in (0.31, 0.32, 0.33, 0.34, 0.35))
"""Lengths in samples by which the stand-ins know what to do with a recording."""


class StandIn:
    """Stands in for an ASR model where a test needs what no real one does at will: to die, or to fail."""

    def __init__(self, name: str):
        self.name = name

    def transcribe(self, batch, english=None):
        if any(len(audio) == POISON for audio in batch):
            os._exit(1)
        if any(len(audio) == BROKEN for audio in batch):
            raise ValueError("the secret name is Lee")
        return [self.write(len(audio)) for audio in batch]

    def write(self, length: int) -> Transcript:
        if self.name == "whisper":
            text = "王小明 早安" if length == MANDARIN else "call mister Lee"
        else:
            text = "" if length == MUTE else "Call Mr Lee"
        return transcript_from_pieces([Piece(text, 0.0, 0.2)], 0.3, self.name)


class FaultyOnce(StandIn):
    """Breaks its CUDA context at one recording, once; what is broken stays so as long as the process lives."""

    def __init__(self, marker: str):
        super().__init__("whisper")
        self.marker, self.broken = Path(marker), False

    def transcribe(self, batch, english=None):
        if any(len(audio) == FAULTY for audio in batch) and not self.marker.exists():
            self.marker.touch()
            self.broken = True
        if self.broken:
            raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
        return super().transcribe(batch)


class NameTagger:
    def tag(self, transcripts):
        return [
            [Entity("PATIENT", "names", "Lee", text.index("Lee"), text.index("Lee") + 3, 0.9, "adapter")]
            if "Lee" in text
            else []
            for text in transcripts
        ]


LOADERS = stages.Loaders(
    whisper=lambda settings: StandIn("whisper"),
    parakeet=lambda settings: StandIn("parakeet"),
    tagger=lambda base_model, adapters, settings: NameTagger(),
)
SETTINGS = Settings(
    decoding=DecodingSettings(voice_threshold=0.0, recordings_at_once=4), tagger=TaggerSettings(batch_size=4)
)


def record(folder, lengths: dict[str, int]) -> dict[str, str]:
    """Write noise of the given lengths in samples; 0 stands for a file that is no audio."""
    generator = np.random.default_rng(0)
    paths = {}
    for name, length in lengths.items():
        path = folder / f"{name}.wav"
        if length:
            soundfile.write(path, generator.normal(0, 0.1, length), 16_000)
        else:
            path.write_text("not audio")
        paths[name] = str(path)
    return paths


def run(recordings, folder, settings=SETTINGS, loaders=LOADERS, **options):
    """Run the stream; give what the driver saw and what was written, by recording id."""
    seen = list(flow.run(of_paths(recordings), str(folder), settings, loaders=loaders, **options))
    assert sorted(row["recording_id"] for row in seen) == sorted(recordings), "each recording leaves once"
    written = tables.read(str(folder), RESULT).to_pylist()
    return {row["recording_id"]: row for row in seen}, {row["recording_id"]: row for row in written}


class Waiting(StandIn):
    """Writes a Mandarin recording only when a file is there."""

    def __init__(self, file: str):
        super().__init__("whisper")
        self.file = Path(file)

    def transcribe(self, batch, english=None):
        for _ in range(600 if any(len(audio) == MANDARIN for audio in batch) else 0):
            if self.file.exists():
                break
            time.sleep(0.1)
        return super().transcribe(batch)


def test_what_is_finished_is_written_and_reported_while_other_recordings_are_worked_on(ray_cluster, tmp_path):
    recordings = record(tmp_path, {f"en{i}": 8_000 + i for i in range(4)} | {"zh": MANDARIN})
    seen_first, parts = tmp_path / "seen_first", tmp_path / "parts"
    loaders = replace(LOADERS, whisper=lambda settings, file=str(seen_first): Waiting(file))
    written = []
    for row in flow.run(of_paths(recordings), str(parts), SETTINGS, loaders=loaders):
        written.append((row["recording_id"], len(list(parts.glob("*.parquet")))))
        if len(written) == 4:
            assert not row["failure"] and written[-1][1] == 1
            seen_first.touch()
    assert [recording_id for recording_id, _ in written[4:]] == ["zh"]


@pytest.fixture(scope="module")
def mixed(ray_cluster, tmp_path_factory):
    """A run over recordings of every fate: transcribed in each language, unreadable, silent, breaking, and deadly."""
    folder = tmp_path_factory.mktemp("mixed")
    lengths = {"bad": 0, "breaking": BROKEN, "deadly": POISON, "zh": MANDARIN, "mute": MUTE}
    recordings = record(folder, lengths | {f"en{i}": 8_000 + i for i in range(9)})
    soundfile.write(folder / "silent.wav", np.zeros((44_100, 2)), 44_100)
    whole = (folder / "en0.wav").read_bytes()
    (folder / "cut.wav").write_bytes(whole[: len(whole) // 2])
    more = {name: str(folder / f"{name}.wav") for name in ("silent", "cut")}
    return run(recordings | more, folder / "parts")


@pytest.mark.faults
def test_every_recording_is_either_transcribed_or_failed_with_a_reason(mixed):
    seen, written = mixed
    assert {name for name, row in seen.items() if row["failure"]} == {"bad", "breaking", "deadly"}
    for name, row in written.items():
        assert (row["failure"] is None) == (row["text"] is not None) == (seen[name]["failure"] is None)


def test_an_unreadable_recording_costs_only_itself(mixed):
    assert mixed[1]["bad"]["failure"]["stage"] == "decode"
    assert "unreadable" in mixed[1]["bad"]["failure"]["error"]


@pytest.mark.faults
def test_a_recording_on_which_a_model_fails_costs_only_itself_and_its_text_stays_out_of_the_message(mixed):
    failure = mixed[1]["breaking"]["failure"]
    assert failure["stage"] == "whisper" and failure["error"].startswith("ValueError in test_flow.py")
    assert "Lee" not in failure["error"]


@pytest.mark.faults
def test_a_recording_that_kills_the_process_costs_only_itself(mixed):
    assert mixed[1]["deadly"]["failure"]["stage"] == "stream"
    assert all(mixed[1][f"en{i}"]["text"] == "Call Mr Lee" for i in range(9))


@pytest.mark.faults
def test_a_broken_cuda_context_ends_its_process_and_no_recording_is_lost(ray_cluster, tmp_path):
    lengths = {"en0": 8_000, "faulty": FAULTY} | {f"en{i}": 8_000 + i for i in range(1, 12)}
    loaders = replace(LOADERS, whisper=lambda settings: FaultyOnce(settings.models.whisper))
    settings = replace(SETTINGS, models=Models(whisper=str(tmp_path / "broke")))
    seen, _ = run(record(tmp_path, lengths), tmp_path / "parts", settings, loaders)
    assert (tmp_path / "broke").exists()
    assert not any(row["failure"] for row in seen.values())


@pytest.mark.faults
def test_a_run_with_too_many_failures_stops_with_the_most_frequent_reason(ray_cluster, tmp_path):
    lengths = {"bad": 0} | {f"broken{i}": BROKEN for i in range(8)} | {f"en{i}": 8_000 + i for i in range(31)}
    with pytest.raises(
        UserError, match=r"^\d of \d+ .*--max-failures 0.2.*\([5-8]\) .*: whisper: ValueError in test_flow"
    ):
        run(dict(sorted(record(tmp_path, lengths).items())), tmp_path / "parts", max_failures=0.2)
    assert len(tables.read(str(tmp_path / "parts"), RESULT)) >= 9, "what is finished is kept"


def test_a_recording_that_is_cut_short_is_transcribed_with_a_note(mixed):
    assert mixed[1]["cut"]["text"] and mixed[1]["cut"]["note"].startswith("incomplete: 0.2 of 0.5 s")
    assert mixed[1]["en0"]["note"] is None


def test_english_is_transcribed_again_by_parakeet_and_mandarin_is_not(mixed):
    assert (mixed[1]["en0"]["language"], mixed[1]["en0"]["recognizer"]) == ("en", "parakeet")
    assert (mixed[1]["zh"]["language"], mixed[1]["zh"]["recognizer"]) == ("zh", "whisper")


def test_whispers_transcript_stays_where_parakeet_writes_nothing(mixed):
    assert (mixed[1]["mute"]["text"], mixed[1]["mute"]["recognizer"]) == ("call mister Lee", "whisper")


def test_silence_has_an_empty_transcript_and_knows_its_file(mixed):
    row = mixed[1]["silent"]
    assert (row["text"], row["words"], row["entities"]) == ("", [], [])
    assert (row["duration_s"], row["sample_rate"], row["channels"]) == (1.0, 44_100, 2)


def test_entities_have_the_times_of_their_words(mixed):
    (entity,) = mixed[1]["en3"]["entities"]
    word = mixed[1]["en3"]["words"][2]
    assert word["text"] == entity["text"] == "Lee"
    assert (entity["start_s"], entity["end_s"]) == (word["start_s"], word["end_s"])
    assert mixed[0]["en3"]["entities"] == 1 and mixed[0]["zh"]["entities"] == 0


def test_without_parakeet_whispers_transcripts_stay(ray_cluster, tmp_path):
    settings = replace(SETTINGS, models=replace(SETTINGS.models, parakeet=NONE))
    recordings = record(tmp_path, {"en": 8_000, "zh": MANDARIN, "bad": 0})
    seen, written = run(recordings, tmp_path / "parts", settings)
    assert written["en"]["text"] == "call mister Lee" and written["en"]["recognizer"] == "whisper"
    assert written["zh"]["text"] == "王小明 早安" and seen["bad"]["failed_stage"] == "decode"
    assert [entity["text"] for entity in written["en"]["entities"]] == ["Lee"]


def test_transcripts_that_are_there_are_tagged_and_timed_by_their_words(ray_cluster, tmp_path):
    timed = transcript_from_pieces([Piece("Call Mr Lee", 1.0, 2.0)], 3.0, "parakeet")
    about = dict.fromkeys(("path", "duration_s", "sample_rate", "channels", "note"))
    rows = {
        "timed": {"recording_id": "timed", **about, "path": "/data/timed.wav", "duration_s": 3.0, **timed.to_row()},
        "text": {"recording_id": "text", **about, **Transcript("Mr Lee, again", [], "given").to_row()},
        "empty": {"recording_id": "empty", **about, **Transcript("", [], "silence").to_row()},
    }
    settings = without_recognition(SETTINGS)
    list(flow.run(rows, str(tmp_path / "parts"), settings, loaders=LOADERS))
    written = {row["recording_id"]: row for row in tables.read(str(tmp_path / "parts"), RESULT).to_pylist()}
    assert not any(row["failure"] for row in written.values())
    (entity,) = written["timed"]["entities"]
    assert (entity["text"], entity["end_s"]) == ("Lee", 2.0) and written["timed"]["path"] == "/data/timed.wav"
    (entity,) = written["text"]["entities"]
    assert (entity["text"], entity["start_s"], entity["kept"]) == ("Lee", None, True)
    assert not written["empty"]["entities"] and written["empty"]["recognizer"] == "silence"


def test_patterns_thresholds_rules_and_overlaps_take_part_in_the_stream(tmp_path):
    text = "nurse Kim 0491570156"
    times = [(0, 5, 0.25, 0.5), (6, 9, 0.5, 0.75), (10, 20, 1.0, 4.0)]
    words = [Word(text[a:b], a, b, start, end) for a, b, start, end in times]
    tagged = [("PROFESSION", 0, 5, None), ("DOCTOR", 6, 9, 0.5), ("DATE", 6, 9, 0.4), ("ID_NUMBER", 10, 20, 0.1)]
    entities = [Entity(type_, "any", text[a:b], a, b, confidence, "adapter") for type_, a, b, confidence in tagged]
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- {name: no nurses, languages: [en], types: [PROFESSION], pattern: nurse, case: match, action: drop,"
        " examples: {positive: [nurse], negative: [cook]}}\n"
    )
    row = {"recording_id": "1", "path": "1.wav", "timings": []} | Transcript(text, words, "parakeet").to_row()
    row["entities"] = [entity.to_row() for entity in entities]
    batch = pa.Table.from_pylist([row], schema=RESULT)
    settings = TaggerSettings(rules=rules, thresholds={"ID_NUMBER": 0.2})
    finished = stages.post_process(batch, PostProcessor(settings))
    (selected,) = finished["entities"].to_pylist()
    assert [(e["type"], e["kept"], e["cause"], e["start_s"], e["end_s"]) for e in selected] == [
        ("PROFESSION", False, "rule: no nurses", 0.25, 0.5),
        ("DOCTOR", True, None, 0.5, 0.75),
        ("DATE", False, "overlap", 0.5, 0.75),
        ("ID_NUMBER", False, "threshold", 1.0, 4.0),
        ("PHONE", True, None, 1.0, 4.0),
    ]


def test_a_model_that_cannot_be_loaded_is_one_sentence(ray_cluster, tmp_path):
    def refuse(base_model, adapters, settings):
        raise UserError("--adapters D: made for another base model.")

    def crash(base_model, adapters, settings):
        raise OSError("file is truncated")

    recordings = record(tmp_path, {"1": 8_000})
    loaders = (LOADERS.whisper, LOADERS.parakeet)
    with pytest.raises(UserError, match=r"^--adapters D: made for another base model\.$"):
        list(
            flow.run(of_paths(recordings), str(tmp_path / "parts"), SETTINGS, loaders=stages.Loaders(*loaders, refuse))
        )
    with pytest.raises(UserError, match="could not be loaded: OSError: file is truncated"):
        list(flow.run(of_paths(recordings), str(tmp_path / "parts"), SETTINGS, loaders=stages.Loaders(*loaders, crash)))


def test_an_out_folder_that_cannot_be_written_is_one_sentence(ray_cluster, tmp_path):
    recordings = record(tmp_path, {"1": 8_000})
    with pytest.raises(UserError, match="out folder cannot be written: Not a directory on node"):
        list(flow.run(of_paths(recordings), str(tmp_path / "1.wav" / "parts"), SETTINGS, loaders=LOADERS))


@pytest.mark.faults
def test_recordings_that_come_while_it_runs_are_worked_on_and_a_deadly_one_costs_only_itself(ray_cluster, tmp_path):
    paths = record(tmp_path, {"one": MANDARIN, "deadly": POISON, "other": MUTE, "bad": 0, "last": MANDARIN})
    arrivals, parts = Arrivals(), tmp_path / "parts"
    rows = iter(flow.run({}, str(parts), SETTINGS, loaders=LOADERS, arrivals=arrivals))

    def put_and_take(*names: str) -> dict[str, str | None]:
        arrivals.put(of_paths({name: paths[name] for name in names}))
        return {row["recording_id"]: row["failed_stage"] for row in itertools.islice(rows, len(names))}

    assert put_and_take("one") == {"one": None}
    assert put_and_take("deadly", "other", "bad") == {"deadly": "stream", "other": None, "bad": "decode"}
    assert put_and_take("last") == {"last": None}
    assert not arrivals.left
    rows.close()
    written = tables.read(str(parts), RESULT).to_pylist()
    assert sorted({row["recording_id"] for row in written}) == sorted(paths)
