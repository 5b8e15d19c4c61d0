"""What is said and labelled is in nothing that a job leaves but the files that are there to hold it.

Markers stand for the words of patients. Each job meets data that is wrong, and what it prints, raises, logs, counts and
writes is searched for them.
"""

import errno
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from fsspec.implementations.local import LocalFileSystem
from ray import cloudpickle

from jobs import finetune_asr, finetune_taggers, predict, prepare
from pipeline import flow, stages, tables, watch
from pipeline.corpus import tagging_datasets
from pipeline.errors import UserError, WithoutTextError, only_without_text
from pipeline.speech.words import Piece, Transcript, transcript_from_pieces
from pipeline.tagging.entities import Entity, Span
from tests.canary import CHINESE, LATIN, NUMBER, SAID, assert_without_text, everything_of, left_behind
from tests.canary_cases import BROKEN_JSON, CASES, TASK1, TASK2, Clinic, manifests
from tests.made_up_run import MadeUpRun, write_run
from tuning import adapters_on_ray, asr_on_ray
from tuning import search as tuning_search
from tuning.settings import AdapterSettings

pytestmark = pytest.mark.faults

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not import the tests


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[MadeUpRun, Path]:
    """A run on made-up sounds with its reference, and datasets."""
    folder = tmp_path_factory.mktemp("whole")
    texts = {str(i): (SAID, [_span("PATIENT", LATIN), _span("ID_NUMBER", NUMBER)]) for i in range(1, 7)}
    texts["6"] = (f"{CHINESE} 來了", [Span("PATIENT", 0, len(CHINESE))])
    made = write_run(folder / "clinic", texts, {"5": "decode"}, ["4"])
    (folder / "valid").mkdir()
    for name, lines in (("task1_answer.txt", TASK1), ("task2_answer.txt", TASK2)):
        of_others = "".join(f"9{line}" for line in lines.splitlines(keepends=True))
        (folder / "valid" / name).write_text(of_others, encoding="utf-8")
    options = ["--train", str(made.reference), "--valid", str(folder / "valid"), "--out", str(folder / "prepared")]
    prepare.main(options)
    return made, folder / "prepared"


def _span(type_: str, text: str) -> Span:
    return Span(type_, SAID.index(text), SAID.index(text) + len(text))


@pytest.fixture
def clinic(ray_cluster, whole, model_options, tiny_settings, tmp_path) -> Clinic:
    return Clinic(tmp_path, *whole, model_options, tiny_settings.models.base_model)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.job.__name__}: {case.what}" for case in CASES])
def test_no_word_of_a_patient_is_in_what_a_job_leaves_of_data_that_is_wrong(case, clinic, capsys, caplog, monkeypatch):
    arguments = case.arguments(clinic)
    if case.full:
        monkeypatch.setattr(LocalFileSystem, "pipe_file", full)
    seen = ""
    try:
        case.job.main(arguments)
    except (UserError, OSError) as error:
        seen = everything_of(error)
    printed = capsys.readouterr()
    seen += printed.out + printed.err + caplog.text
    written = "".join(content.decode("utf-8", "replace") for _, content in left_behind(clinic.out))
    assert case.says in " ".join(seen.split()) + written
    assert_without_text(seen, clinic.out)


def full(fs: LocalFileSystem, path: str, value: bytes, **options: Any) -> None:
    """Stand in for a storage that is full half-way."""
    Path(path).write_bytes(value[: len(value) // 2])
    raise OSError(errno.ENOSPC, "No space left on device")


# The stream, and trainings.

MUTE, BROKEN, UNTAGGED, ASTRAY = (round(16_000 * seconds) for seconds in (0.31, 0.32, 0.33, 0.34))
"""Lengths in samples by which the stand-ins know what to do with a recording."""


class Recogniser:
    """Writes what is said, or fails and quotes it."""

    def transcribe(self, batch, english=None) -> list[Transcript]:
        if any(len(audio) == BROKEN for audio in batch):
            raise ValueError(f"cannot write {SAID}")
        written = {MUTE: "", UNTAGGED: f"untagged {SAID}", ASTRAY: f"astray {SAID}"}
        texts = [written.get(len(audio), SAID) for audio in batch]
        return [transcript_from_pieces([Piece(text, 0.0, 0.2)], 0.3, "whisper") for text in texts]


class FaultyTagger:
    """Finds a name, fails and quotes the text, or finds something outside of it."""

    def tag(self, transcripts: Sequence[str]) -> list[list[Entity]]:
        for text in transcripts:
            if text.startswith("untagged"):
                raise RuntimeError(f"cannot tag\n{text}\n{text}")
        return [[self.found(text)] for text in transcripts]

    def found(self, text: str) -> Entity:
        at = 900 if text.startswith("astray") else text.index(LATIN)
        return Entity("PATIENT", "names", LATIN, at, at + len(LATIN), 0.9, "adapter")


LOADERS = stages.Loaders(
    whisper=lambda settings: Recogniser(),
    parakeet=lambda settings: Recogniser(),
    tagger=lambda base_model, adapters, settings: FaultyTagger(),
)


class Told:
    """Stands in for Ray's counters and gauges, and keeps what they are told."""

    told: list[Any]

    def __init__(self, *names: Any):
        self.told.append(names)

    def inc(self, *values: Any, **tags: Any) -> None:
        self.told.append((values, tags))

    set = inc


def record(folder: Path, lengths: dict[str, int]) -> None:
    """Write noise of the given lengths in samples, with a title; 0 stands for a text that is no audio."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for name, length in lengths.items():
        if length:
            with soundfile.SoundFile(folder / f"{name}.wav", "w", 16_000, 1) as file:
                file.title = SAID
                file.write(random.normal(0, 0.1, length))
        else:
            (folder / f"{name}.wav").write_text(SAID, encoding="utf-8")


def test_no_word_of_a_patient_is_in_what_a_run_and_ray_leave(clinic, capsys, caplog, monkeypatch):
    monkeypatch.setattr(flow, "Loaders", lambda: LOADERS)
    monkeypatch.setattr(Told, "told", [], raising=False)
    for kind in ("Counter", "Gauge"):
        monkeypatch.setattr(watch, kind, Told)
    lengths = {"1": 8_000, "2": MUTE, "3": BROKEN, "4": UNTAGGED, "5": ASTRAY, "6": 0}
    record(clinic.folder / "audio", lengths)
    (clinic.folder / "audio" / "notes.json").write_text(BROKEN_JSON, encoding="utf-8")
    predict.main(["--audio", str(clinic.folder / "audio"), "--out", str(clinic.out), *clinic.models])
    failed = tables.read(str(clinic.out / "failures"), tables.FAILURES).to_pylist()
    assert {row["recording_id"]: row["stage"] for row in failed} == {
        "3": "whisper",
        "4": "tagger",
        "5": "rules",
        "6": "decode",
    }
    assert LATIN in (clinic.out / "task2_answer.txt").read_text(encoding="utf-8")
    printed = capsys.readouterr()
    assert_without_text(printed.out + printed.err + caplog.text + repr(Told.told), clinic.out)
    assert_without_text("", ray_logs())


def fail(*_: Any, **__: Any) -> None:
    raise ValueError(f"cannot learn\n{SAID}\n{SAID}: {SAID}")


def test_no_word_of_a_patient_is_in_what_ends_a_training(monkeypatch):
    stand_ins = {"tuning.adapter": {"train": fail}, "tuning.export": {"export": fail}, "tuning.asr": {"fit": fail}}
    for name, functions in stand_ins.items():
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**functions))
    monkeypatch.setattr(tagging_datasets, "read", fail)
    monkeypatch.setattr("ray.train.get_checkpoint", fail)
    task = adapters_on_ray.AdapterTask(Path("names"), AdapterSettings(), Path("out"))
    for training in (
        lambda: adapters_on_ray._train({"group": "names"}, tasks={"names": task}),
        lambda: tuning_search._try({}, task=task, objective="valid_loss", sample=1, folder=Path("x")),
        lambda: asr_on_ray._worker({}),
    ):
        with pytest.raises(WithoutTextError, match=r"^ValueError in test_canary\.py, line \d+$") as raised:
            training()
        told = [adapters_on_ray.why(raised.value), asr_on_ray._why(raised.value)]
        assert all("ValueError in test_canary.py" in each for each in told)
        assert_without_text("\n".join([everything_of(raised.value), *told]))
    assert adapters_on_ray.why(ValueError(f"x\n{SAID}")) == "ValueError"


def fails(config: dict[str, Any], tasks: Any) -> None:
    with only_without_text():
        fail()


@pytest.mark.slow
def test_no_word_of_a_patient_is_in_what_trainings_and_ray_leave(clinic, capsys, caplog, monkeypatch):
    of_names = ["--groups", "names", "--base-model", clinic.base_model, "--rank", "2", "--num-cpus", "2"]
    options = ["--datasets", str(clinic.prepared), *of_names, "--epochs", "1", "--few-shot", "0"]
    finetune_taggers.main([*options, "--out", str(clinic.out / "taggers")])
    assert list((clinic.out / "taggers").rglob("events.out.tfevents.*"))
    line = {"audio_filepath": str(clinic.made.audio / "1.wav"), "duration": 1.0, "text": SAID}
    asr = manifests("".join(f"{json.dumps(line)}\n" for _ in range(4)))(clinic)
    asr[asr.index("--out") + 1] = str(clinic.out / "asr")
    finetune_asr.main([*asr, "--epochs", "1", "--loaders", "0"])
    assert list((clinic.out / "asr").rglob("events.out.tfevents.*"))
    monkeypatch.setattr(adapters_on_ray, "_train", fails)
    with pytest.raises(UserError, match="names: ValueError in") as raised:
        finetune_taggers.main([*options, "--out", str(clinic.out / "failed")])
    printed = capsys.readouterr()
    assert_without_text(printed.out + printed.err + caplog.text + everything_of(raised.value), clinic.out)
    assert_without_text("", ray_logs())


def ray_logs() -> Path:
    from ray._private import worker

    return Path(worker._global_node.get_session_dir_path()) / "logs"
