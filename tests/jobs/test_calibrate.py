"""jobs.calibrate on the command line: a file that jobs.predict takes, figures and a picture, and no text."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs import calibrate
from jobs.calibrate_tables import print_unreached
from jobs.command_line import parse
from jobs.predict import Predict
from pipeline import EntityFinder, tables
from pipeline.calibration.candidates import pair
from pipeline.calibration.cross_validation import calibrate as fit
from pipeline.calibration.held_out import operation
from pipeline.calibration.runs import Runs
from pipeline.calibration.thresholds import ALL, share
from pipeline.errors import UserError
from pipeline.settings import PROFILES, CalibrationSettings, Pool, Settings, TaggerSettings
from pipeline.speech.words import Transcript, Word
from pipeline.submission import Submission
from pipeline.synthetic import corpus
from pipeline.tagging.entity_groups import load_entity_groups
from tests.made_up_findings import Rows, findings

BIAS = {"names": 2.0, "times": 1.0}
BIASED = TaggerSettings(opening_bias=BIAS)


def write_run(folder: Path, found: Rows, tagger: TaggerSettings, text: str = "Secret") -> None:
    """Write the tables of a run of 300 recordings, and its settings."""
    ids = [str(number) for number in range(1, 301)]
    transcripts = [{"recording_id": i, "language": "en", "text": text, "words": [], "recognizer": ""} for i in ids]
    tables.write(tables.from_rows(found, tables.ENTITIES), f"{folder}/entities")
    tables.write(tables.from_rows(transcripts, tables.TRANSCRIPTS), f"{folder}/transcripts")
    state = {"settings": asdict(Settings(tagger=tagger))}
    (folder / "run.json").write_text(json.dumps(state, default=str), encoding="utf-8")
    (folder / "summary.json").write_text("{}")


def written(folder: Path, tagger: TaggerSettings = BIASED) -> list[str]:
    """Write a run and its reference, and return the options that name them."""
    found, wanted = findings(300, 1)
    write_run(folder / "run", found, tagger)
    write_run(folder / "reference", wanted, tagger)
    return ["--run", f"{folder}/run", "--reference", f"{folder}/reference", "--out", f"{folder}/own.yaml"]


def several(folder: Path, **other: Any) -> list[str]:
    """Write a run beside that of ``written``, made on another
    machine without a bias, which lacks half of the patients; return the options.

    Args:
        folder: Where.
        other: What ``write_run`` is given for it in place of the defaults.
    """
    options = written(folder)
    found, _ = findings(300, 1)
    few = [row for row in found if row["type"] != "PATIENT" or int(row["recording_id"]) % 2]
    write_run(folder / "few", **{"found": few, "tagger": TaggerSettings(pool=Pool(actors=2))} | other)
    return ["--run", f"{folder}/few", *options[1:]]


def test_what_it_writes_is_taken_by_predict_and_holds_no_text(tmp_path, capsys):
    calibrate.main(written(tmp_path))
    settings = parse(Predict, ["--out", "out", "--settings", f"{tmp_path}/own.yaml"], "predict").settings.tagger
    assert settings.opening_bias == BIAS
    assert settings.calibration != CalibrationSettings()
    assert set(settings.thresholds) == {"PATIENT", "DATE", "CITY"}
    figures = json.loads((tmp_path / "own.json").read_text(encoding="utf-8"))
    assert figures["confidences"]["after"]["brier"] < figures["confidences"]["before"]["brier"]
    assert figures["time"][ALL]["recall_held_out"] >= 0.98
    assert figures["time"][ALL]["precision_held_out"] > figures["time"][ALL]["precision_everything"]
    assert (tmp_path / "own.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    for word in ("PATIENT", "held out", "expected calibration error", "Brier score", "jobs.predict --settings"):
        assert word in printed
    for text in (printed, *((tmp_path / f"own.{kind}").read_text(encoding="utf-8") for kind in ("yaml", "json"))):
        assert "Secret" not in text


def test_a_recall_out_of_reach_is_said_with_the_types_the_most_and_what_to_do(tmp_path, capsys):
    options = written(tmp_path)
    found, _ = findings(300, 1)
    some = [row for row in found if row["type"] != "PATIENT" or int(row["recording_id"]) % 2]
    tables.write(tables.from_rows(some, tables.ENTITIES), f"{tmp_path}/run/entities")
    calibrate.main(options)
    printed = " ".join(capsys.readouterr().out.split())
    assert "A recall of 0.98 is out of reach even with everything kept, which covers" in printed
    assert "% of PATIENT" in printed and "To find more, run again with --tagger.opening-bias names 4" in printed
    assert yaml.safe_load((tmp_path / "own.yaml").read_text())["tagger"]["thresholds"]["PATIENT"] == 0.0


def test_where_higher_biases_found_no_more_none_is_advised(tmp_path, capsys):
    found, _ = findings(300, 1)
    few = [row for row in found if row["type"] != "PATIENT" or int(row["recording_id"]) % 2]
    options = several(tmp_path)
    tables.write(tables.from_rows(few, tables.ENTITIES), f"{tmp_path}/run/entities")
    calibrate.main(options)
    printed = " ".join(capsys.readouterr().out.split())
    assert "A higher opening bias finds no more of names: see how much was transcribed wrong." in printed
    assert "run again" not in printed


def test_an_entity_group_whose_bias_was_chosen_for_its_precision_is_not_said_to_have_no_more(capsys):
    """The group of times reaches the recall as a whole, and its rare type does not."""
    rates = {"recall_everything": 0.99, "recall_held_out": 0.985}
    found = {
        "recall": 0.98,
        "padding_s": 0.1,
        "time": {"TIME": {"recall_everything": 0.9}, ALL: rates},
        "opening_bias": {"times": {"chosen": 0.0, "each": [{"bias": bias} | rates for bias in (0.0, 2.0)]}},
    }
    print_unreached(found, {"times": 2.0}, None)
    printed = capsys.readouterr().out
    assert "90.0 % of TIME" in printed and "finds no more" not in printed and "run again" not in printed


def test_recordings_that_the_run_lacks_are_counted_and_left_out(tmp_path, capsys):
    options = written(tmp_path)
    rows = tables.read(f"{tmp_path}/run/transcripts", tables.TRANSCRIPTS)
    tables.write(rows.slice(10), f"{tmp_path}/run/transcripts")
    calibrate.main(options)
    assert "10 recordings of the reference are not in the run" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--recall", "1.2"], "--recall 1.2: give a number from 0.5 to 1."),
        (["--folds", "1"], "--folds 1: give a number from 2 to 100."),
        (["--out", "own.txt"], "--out own.txt: give a file that ends with .yaml."),
        (["--run"], "--run: give at least one out folder of jobs.predict."),
        (["--run", "jobs"], "--run jobs holds no finished run: give the out folder of jobs.predict."),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, options, sentence):
    with pytest.raises(UserError) as refused:
        calibrate.main([*written(tmp_path), *options])
    assert str(refused.value) == sentence


def test_a_run_with_calibrated_confidences_is_refused(tmp_path):
    options = written(tmp_path, TaggerSettings(calibration=CalibrationSettings(slope=0.7)))
    with pytest.raises(UserError, match="has calibrated confidences"):
        calibrate.main(options)


def test_of_several_runs_each_group_gets_the_bias_that_serves_it_and_it_is_told_what_each_would_give(tmp_path, capsys):
    options = several(tmp_path)
    rows = tables.read(f"{tmp_path}/few/transcripts", tables.TRANSCRIPTS)
    tables.write(rows.slice(10), f"{tmp_path}/few/transcripts")
    calibrate.main(options)
    settings = parse(Predict, ["--out", "out", "--settings", f"{tmp_path}/own.yaml"], "predict").settings.tagger
    assert settings.opening_bias == {"names": 2.0, "times": 0.0}
    figures = json.loads((tmp_path / "own.json").read_text(encoding="utf-8"))
    names = figures["opening_bias"]["names"]
    assert (names["chosen"], [one["bias"] for one in names["each"]]) == (2.0, [0.0, 2.0])
    low, high = names["each"]
    assert low["recall_everything"] < 0.6 and high["recall_held_out"] >= 0.98
    assert figures["time"][ALL]["recall_held_out"] >= 0.98
    assert figures["recordings"] == 290
    printed = capsys.readouterr().out
    assert "10 recordings of the reference are not in all runs and do not count." in printed
    rows = [" ".join(line.split()) for line in printed.splitlines()]
    assert [[row.rsplit(" ", 4)[0] for row in rows if row.startswith(name)] for name in ("names", "times")] == [
        ["names 0", "names * 2"],
        ["times * 0", "times 1"],
    ]


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (
            {"tagger": TaggerSettings(repeats="none", max_entities=8)},
            "--run {0}/run differs from {0}/few in --tagger.max-entities, --tagger.repeats: give runs that differ in "
            "--tagger.opening-bias alone.",
        ),
        (
            {"tagger": TaggerSettings(calibration=CalibrationSettings(slope=0.7))},
            "--run {0}/few has calibrated confidences: give one without --tagger.calibration.",
        ),
        ({"tagger": BIASED}, "--run {0}/run has the --tagger.opening-bias of {0}/few: give runs that differ in it."),
        (
            {"text": "Another secret"},
            "--run {0}/run has other transcripts of 300 recordings than {0}/few: make it with jobs.predict "
            "--transcripts {0}/few.",
        ),
    ],
)
def test_runs_that_do_not_differ_in_the_bias_alone_are_refused_with_what_differs(tmp_path, other, sentence):
    with pytest.raises(UserError) as refused:
        calibrate.main(several(tmp_path, **other))
    assert str(refused.value) == sentence.format(tmp_path)


def test_of_several_runs_each_has_to_say_what_made_it(tmp_path):
    options = several(tmp_path)
    (tmp_path / "few" / "run.json").unlink()
    with pytest.raises(UserError, match="does not say what made it"):
        calibrate.main(options)


@pytest.mark.slow
def test_on_the_demos_held_out_clips_half_of_them_calibrates_the_other():
    """What is said in the 600 clips, with made-up times of words: the tagger alone, without its sound."""
    drawn = corpus.utterances({"train1": 6000, "train2": 6000, "valid": 300, "test": 600}, 2025)["test"]
    transcripts = [Transcript(one.sentence.text, _words(one.sentence.text), tables.GOLD) for one in drawn]
    demo = PROFILES["demo"]
    groups = {group.name: group.types for group in load_entity_groups()}
    biases = [dict.fromkeys(groups, bias) for bias in (0.0, 2.0, 4.0)]
    ids = [one.recording_id for one in drawn]
    said = [{"recording_id": i} | transcript.to_row() for i, transcript in zip(ids, transcripts, strict=True)]
    runs = []
    for bias in biases:
        find = EntityFinder(replace(demo, tagger=replace(demo.tagger, opening_bias=bias)))
        found = [
            {"recording_id": i} | entity.to_row()
            for i, some in zip(ids, find(transcripts), strict=True)
            for entity in some
        ]
        tables_of_run = (("entities", found, tables.ENTITIES), ("transcripts", said, tables.TRANSCRIPTS))
        runs.append({name: tables.from_rows(rows, schema) for name, rows, schema in tables_of_run})
    wanted = []
    for one, transcript in zip(drawn, transcripts, strict=True):
        for span in one.sentence.spans:
            start_s, end_s = transcript.times(span.char_start, span.char_end)
            label = {"recording_id": one.recording_id, "type": span.type, "group": "", "source": "gold", "kept": True}
            wanted.append(label | {"text": "", "start_s": start_s, "end_s": end_s})
    reference = Submission("", dict.fromkeys(ids, ""), tables.from_rows(wanted, tables.ENTITIES), False)
    recordings, _ = pair(runs, reference)
    both = Runs(recordings, biases, groups)
    known, new = (both.known([row for row in range(len(ids)) if (row // 2) % 2 == half]) for half in (0, 1))
    fitted = fit(known, 0.98, folds=5, seed=1126)
    others = [(one.calibrated(fitted.calibration), fitted.thresholds) for one in new.mixed(fitted.opening_bias)]
    reached = operation(others, fitted.dials)
    print(fitted.opening_bias, share(reached.recall, ALL), share(reached.precision, ALL), fitted.before, fitted.after)
    assert share(reached.recall, ALL) == pytest.approx(0.98, abs=0.01)
    assert share(reached.precision, ALL) > 0.97


def _words(text: str) -> list[Word]:
    """Give each character a twentieth of a second."""
    return [Word(character, n, n + 1, n / 20, (n + 1) / 20, None) for n, character in enumerate(text)]
