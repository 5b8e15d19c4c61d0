"""From competition folders to clean training data."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import pytest
import soundfile

from jobs import prepare
from pipeline import tables
from pipeline.corpus import tagging_datasets
from pipeline.corpus.labels import NO_TRANSCRIPT
from pipeline.errors import UserError
from pipeline.speech.audio import SAMPLE_RATE
from pipeline.speech.words import Piece, transcript_from_pieces
from pipeline.tagging.entity_groups import load_entity_groups
from pipeline.tagging.prompts import Prompt
from tests.competition import SENTENCES, write_folder, write_sound
from tests.jobs.test_report import chromium  # noqa: F401
from tuning.adapter import make_trainer
from tuning.settings import ADAPTER_PROFILES

ROOT = Path(__file__).parents[2]
GROUPS = [group.name for group in load_entity_groups()]
EVEN, ODD = range(0, len(SENTENCES), 2), range(1, len(SENTENCES), 2)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, ray_cluster, tiny_parakeet) -> Path:
    """Two training folders and a validation folder with audio, prepared, with some that is wrong."""
    root = tmp_path_factory.mktemp("prepared")
    first = write_folder(root / "first", 1, EVEN, audio=True)
    second = write_folder(root / "second", 101, ODD, audio=True)
    valid = write_folder(root / "valid", 201, range(len(SENTENCES)), audio=True)
    with (first / "task2_answer.txt").open("a", encoding="utf-8") as file:
        file.write("1\tDATE\tsoon\t2.0\tMay\n99\tDATE\t1.0\t2.0\tMay\n")
    (first / "audio" / "77.wav").write_text("no sound")
    write_sound(second / "audio" / "78.wav", 1.0, SAMPLE_RATE, 1)
    arguments = ["--train", str(first), "--train", str(second), "--valid", str(valid), "--out", str(root / "out")]
    prepare.main([*arguments, "--max-duration-s", "9.2", "--parakeet", str(tiny_parakeet)])
    return root / "out"


def read(out: Path) -> dict[str, list[dict]]:
    return {name: tables.read(str(out / name), schema).to_pylist() for name, schema in tables.SCHEMAS.items()}


def test_every_label_keeps_how_it_was_found(prepared):
    found = read(prepared)
    texts = {row["recording_id"]: row["text"] for row in found["transcripts"]}
    for row in found["entities"]:
        if row["match"] == "not_found":
            assert (row["recording_id"], row["cause"]) == ("99", NO_TRANSCRIPT)
        else:
            assert texts[row["recording_id"]][row["char_start"] : row["char_end"]] == row["text"]
            assert row["group"] in GROUPS and row["match"] == "exact" and row["kept"]
    assert len(found["entities"]) == 1 + 2 * sum(len(spans) for _, spans in SENTENCES)


def test_audio_is_mono_at_16_khz_and_what_fits_already_stays_where_it_is(prepared):
    found = read(prepared)
    with_audio = [row for row in found["recordings"] if row["path"] and row["duration_s"]]
    assert len(with_audio) == 2 * len(SENTENCES) + 1
    for row in with_audio:
        info = soundfile.info(row["path"])
        assert (info.samplerate, info.channels) == (SAMPLE_RATE, 1) == (row["sample_rate"], row["channels"])
        assert info.duration == pytest.approx(row["duration_s"], abs=0.001)
    in_place = [row for row in with_audio if not row["path"].startswith(str(prepared))]
    assert {Path(row["path"]).suffix for row in in_place} == {".wav", ".flac"}
    assert len(list((prepared / "audio").iterdir())) == len(with_audio) - len(in_place) > 0
    assert [(row["recording_id"], row["stage"]) for row in found["failures"]] == [("77", "audio")]


def test_no_recording_is_in_both_train_and_valid(prepared):
    recordings = {row["recording_id"]: row["split"] for row in read(prepared)["recordings"]}
    for group in GROUPS:
        for split in ("train", "valid"):
            table = read_set(prepared, group, split)
            assert {recordings[i] for i in table["recording_id"].to_pylist()} == {split}
    manifests = {split: manifest(prepared, split) for split in ("train", "valid")}
    assert not {line["audio_filepath"] for line in manifests["train"]} & {
        line["audio_filepath"] for line in manifests["valid"]
    }


def read_set(out: Path, group: str, split: str):
    import pyarrow.parquet as pq

    return pq.read_table(out / "tagging" / group / f"{split}.parquet")


def manifest(out: Path, split: str) -> list[dict]:
    return [json.loads(line) for line in (out / "manifests" / f"{split}.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("group", GROUPS)
def test_a_dataset_goes_into_training_as_it_is_and_teaches_the_answer_alone(prepared, group, tagger_folders, tmp_path):
    from transformers import AutoTokenizer

    dataset = tagging_datasets.read(str(prepared / "tagging" / group))
    settings = replace(ADAPTER_PROFILES["demo"], base_model=str(tagger_folders.base), packing=False)
    trainer = make_trainer(dataset, settings, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tagger_folders.base)
    answers = set(dataset.splits["train"]["tagged"].to_pylist())
    batch = next(iter(trainer.get_train_dataloader()))
    for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        assert tokenizer.decode(labels[labels != -100]).removesuffix("<|eot_id|>") in answers
        assert dataset.prompt.system in tokenizer.decode(ids)
    assert len(trainer.get_eval_dataloader().dataset) == len(dataset.splits["valid"]) > 0


def test_a_dataset_has_the_prompt_of_its_entity_group_and_rows_without_it(prepared):
    for group in load_entity_groups():
        folder = prepared / "tagging" / group.name
        assert {file.name for file in folder.iterdir()} == {"prompt.json", "train.parquet", "valid.parquet"}
        assert tagging_datasets.read(str(folder)).prompt == Prompt.of(group)
        names = ["recording_id", "text_source", "transcript", "spans", "tagged"]
        assert read_set(prepared, group.name, "train").schema.names == names


def test_the_manifest_loads_in_nemo_as_it_is_and_teaches_no_unknown_token(prepared, tiny_parakeet):
    import torch
    from nemo.collections.asr.data.audio_to_text import AudioToBPEDataset
    from nemo.collections.asr.models import ASRModel

    tokenizer = ASRModel.restore_from(str(tiny_parakeet), map_location=torch.device("cpu")).tokenizer
    lines = manifest(prepared, "train")
    dataset = AudioToBPEDataset(str(prepared / "manifests" / "train.jsonl"), tokenizer, sample_rate=SAMPLE_RATE)
    assert len(dataset) == len(lines) > 2
    unknown = tokenizer.tokenizer.unk_id()
    for line, (samples, length, tokens, _) in zip(dataset.manifest_processor.collection, dataset, strict=True):
        assert int(length) == len(samples) == round(line.duration * SAMPLE_RATE)
        assert tokens.tolist() and unknown not in tokens.tolist()


def test_the_report_counts_what_was_kept_and_what_was_lost(prepared):
    report = json.loads((prepared / "prepare_report.json").read_text())
    labels = sum(len(spans) for _, spans in SENTENCES)
    assert report["labels"]["valid"] == {
        "total": labels,
        "exact": labels,
        "normalised": 0,
        "fuzzy": 0,
        "not_found": 0,
        "causes": {},
    }
    assert report["labels"]["first"]["not_found"] == 1
    assert report["labels"]["first"]["causes"] == {NO_TRANSCRIPT: 1}
    assert len(report["malformed"]) == report["folders"]["first"]["malformed_lines"] == 1
    assert "task2_answer.txt, line " in report["malformed"][0]
    assert report["audio"]["failed"] == 1 and report["audio"]["in_place"] and report["audio"]["copied"]
    left_out = report["manifests"]["train"]["left_out"]
    assert left_out["Mandarin or mixed"] and left_out["longer than 9.2 s"] and left_out["no words"] == 3
    for group in GROUPS:
        for split in ("train", "valid"):
            counts = report["tagging_datasets"][group][split]
            assert counts["positives"] and counts["positives"] // 2 == counts["negatives"]
            assert len(read_set(prepared, group, split)) == counts["positives"] + counts["negatives"]


def test_report_and_page_hold_no_text_of_a_recording(prepared):
    page = (prepared / "prepare_report.html").read_text() + (prepared / "prepare_report.json").read_text()
    assert "How labels were found" in page
    names = [row["text"] for row in read(prepared)["entities"] if len(row["text"]) > 5]
    assert names and not any(name in page for name in names)


def test_recognised_text_takes_part_with_the_labels_projected_onto_it(prepared, tmp_path):
    """A recogniser writes small letters without punctuation; its word times are those of the sounds."""
    folders = [write_folder(tmp_path / name, first, EVEN) for name, first in (("one", 1), ("two", 201))]
    rows = []
    for recording_id, place in enumerate(EVEN, 1):
        text, _ = SENTENCES[place]
        heard = "".join(c if c.isalnum() else " " for c in text.lower())
        pieces = [Piece(c, i / 10, (i + 1) / 10) for i, c in enumerate(heard)]
        transcript = transcript_from_pieces(pieces, len(text) / 10, "parakeet")
        words = [word.__dict__ for word in transcript.words]
        row = {"recording_id": str(recording_id), "language": "en", "text": transcript.text, "words": words}
        rows.append(row | {"recognizer": "parakeet"})
    tables.write(tables.from_rows(rows, tables.TRANSCRIPTS), str(tmp_path / "run" / "transcripts"))
    arguments = ["--train", str(folders[0]), "--valid", str(folders[1]), "--out", str(tmp_path / "out")]
    prepare.main([*arguments, "--transcripts", str(tmp_path / "run"), "--recognised-share", "1"])

    report = json.loads((tmp_path / "out" / "prepare_report.json").read_text())
    assert report["recognised"]["transcripts"] == len(rows)
    assert report["recognised"]["labels"]["two"]["causes"] == {NO_TRANSCRIPT: 31}
    counts = report["recognised"]["labels"]["one"]
    assert counts["not_found"] == 0 and counts["total"] > 10 and counts["normalised"] > 5
    train, valid = (read_set(tmp_path / "out", "names", split) for split in ("train", "valid"))
    assert set(train["text_source"].to_pylist()) == {"recognised"}
    assert set(valid["text_source"].to_pylist()) == {"gold"}
    assert any(
        "<patient>" not in tagged and "<PATIENT>priya</PATIENT>" in tagged for tagged in train["tagged"].to_pylist()
    )


def test_what_the_folders_lack_of_an_entity_group_is_made_up_and_counted_apart(tmp_path):
    folders = [write_folder(tmp_path / name, first, EVEN) for name, first in (("one", 1), ("two", 201))]
    arguments = ["--train", str(folders[0]), "--valid", str(folders[1])]
    more = ["--synthetic", "20", "--brief", "--few-shot", "0"]
    prepare.main([*arguments, "--out", str(tmp_path / "without")])
    for name in ("with", "again"):
        prepare.main([*arguments, "--out", str(tmp_path / name), *more])
    report = json.loads((tmp_path / "with" / "prepare_report.json").read_text())
    for group in GROUPS:
        for split, least in (("train", 20), ("valid", 4)):
            table, counts = read_set(tmp_path / "with", group, split), report["tagging_datasets"][group][split]
            made_up = table.filter(pc.field("text_source") == "synthetic")
            assert table.slice(0, len(table) - len(made_up)) == read_set(tmp_path / "without", group, split)
            positives = sum(bool(spans) for spans in made_up["spans"].to_pylist())
            assert len(made_up) == counts["synthetic"] and positives == max(least - counts["positives"], 0)
            assert table == read_set(tmp_path / "again", group, split)
        told = json.loads((tmp_path / "with" / "tagging" / group / "prompt.json").read_text())
        assert told["system"] == f"Repeat the text and tag {', '.join(told['types'])}." and not told["few_shot"]
        lengths = [
            (span["type"], span["char_end"] - span["char_start"])
            for spans in read_set(tmp_path / "with", group, "train")["spans"].to_pylist()
            for span in spans
        ]
        assert all(told["longest"][type_] >= 1.5 * length - 1 for type_, length in lengths)


def test_recognised_text_of_other_recordings_is_refused(tmp_path):
    folders = [write_folder(tmp_path / name, first, [0]) for name, first in (("one", 1), ("two", 201))]
    row = {"recording_id": "7", "language": "en", "text": "x", "words": [], "recognizer": "parakeet"}
    tables.write(tables.from_rows([row], tables.TRANSCRIPTS), str(tmp_path / "run" / "transcripts"))
    arguments = ["--train", str(folders[0]), "--valid", str(folders[1]), "--out", str(tmp_path / "out")]
    with pytest.raises(UserError, match="holds no recording of these folders"):
        prepare.main([*arguments, "--transcripts", str(tmp_path / "run")])


def test_the_real_corpus_is_prepared_without_audio_and_says_so(shared, tmp_path, capsys):
    corpus = shared / "corpus"
    arguments = ["--train", str(corpus / "train1"), "--train", str(corpus / "train2"), "--valid", str(corpus / "valid")]
    prepare.main([*arguments, "--out", str(tmp_path)])
    report = json.loads((tmp_path / "prepare_report.json").read_text())
    found = {name: counts["total"] - counts["not_found"] for name, counts in report["labels"].items()}
    assert found["train1"] >= 775 and found["train2"] >= 940 and found["valid"] >= 570
    assert {name: counts["total"] for name, counts in report["labels"].items()} == {
        "train1": 833,
        "train2": 987,
        "valid": 584,
    }
    assert not (tmp_path / "manifests").exists()
    assert "train1 has no audio/" in capsys.readouterr().out
    entities = tables.read(str(tmp_path / "entities"), tables.ENTITIES)
    assert sum(row["group"] == "" for row in entities.to_pylist()) == 3, "2 PHONE, 1 URL"


def test_prepared_data_is_replaced_only_when_told_to_and_other_files_never(tmp_path):
    one, two = write_folder(tmp_path / "one", 1, [0, 1]), write_folder(tmp_path / "two", 11, [0, 1])
    arguments = ["--train", str(one), "--valid", str(two), "--out", str(tmp_path / "out")]
    prepare.main(arguments)
    with pytest.raises(UserError, match="is finished already"):
        prepare.main(arguments)
    prepare.main([*arguments, "--overwrite", "--few-shot", "1"])
    assert len(tagging_datasets.read(str(tmp_path / "out" / "tagging" / "names")).prompt.examples) == 1
    shutil.move(tmp_path / "out" / "prepare.json", tmp_path / "out" / "notes.txt")
    with pytest.raises(UserError, match="is not empty"):
        prepare.main([*arguments, "--overwrite"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--valid", "nowhere"], f"--valid {ROOT}/nowhere: there is no such folder."),
        (
            ["--valid", "{two}", "--out", "{one}"],
            "--out {one} is, holds or lies in the data of {one}: give a folder of its own.",
        ),
        (["--valid", "{one}"], "{one} and {one} are both called one"),
        (["--valid", "{two}", "--recognised-share", "2"], "--recognised-share 2.0: give a number from 0 to 1."),
        (["--valid", "{two}", "--transcripts", "jobs"], f"--transcripts {ROOT}/jobs holds no table of transcripts"),
        (["--valid", "{two}", "--negatives", "nan"], "--negatives nan: give a number from 0 to 1e+06."),
        (["--valid", "{two}", "--out", "{one}/audio/x"], "--out {one}/audio/x is, holds or lies in the data of {one}"),
        (
            ["--valid", "{two}", "--parakeet", "nowhere.nemo"],
            "--parakeet nowhere.nemo: there is no such folder or file.",
        ),
        (["--valid", "{two}", "--groups-file", "nowhere.yaml"], "nowhere.yaml cannot be read"),
    ],
    ids=[
        "no folder",
        "out is input",
        "same folder",
        "share",
        "no table",
        "negatives",
        "out in audio",
        "no model",
        "no groups",
    ],
)
def test_a_users_mistake_is_one_sentence_and_exit_status_1(tmp_path, options, sentence):
    folders = {"one": write_folder(tmp_path / "one", 1, [0]), "two": write_folder(tmp_path / "two", 2, [1])}
    arguments = ["--train", str(folders["one"]), *(option.format(**folders) for option in options)]
    if "--out" not in arguments:
        arguments += ["--out", str(tmp_path / "out")]
    command = [sys.executable, "-m", "jobs.prepare", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith(sentence.format(**folders))
    assert "Traceback" not in done.stderr and not (tmp_path / "out").exists(), "nothing is half written"


@pytest.mark.parametrize(("lines", "why"), [("", ""), ("1\n2\n", "; 2 lines are malformed, and --strict names the")])
@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_set_without_a_transcript_is_refused(tmp_path, split, lines, why):
    folders = {name: write_folder(tmp_path / name, at, EVEN) for name, at in (("train", 1), ("valid", 101))}
    (folders[split] / "task1_answer.txt").write_text(lines)
    with pytest.raises(UserError, match=f"--{split} .*{split}: task1_answer.txt holds no transcript{why}"):
        prepare.main([*(f"--{each}={path}" for each, path in folders.items()), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_the_page_is_no_wider_than_the_window(chromium, prepared):  # noqa: F811
    for width in (1280, 420):
        page = chromium.new_page(viewport={"width": width, "height": 900})
        page.goto((prepared / "prepare_report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.close()
