"""The demo: the shipped clips shown, a new clinic learned, and its corpus made, each by one command."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import soundfile

from jobs import demo, demo_clips, demo_training, predict
from jobs.demo_training import Sizes
from pipeline import submission
from pipeline.demo import CLIPS
from pipeline.errors import UserError
from pipeline.settings import PROFILES, DecodingSettings
from pipeline.speech.audio import decode
from pipeline.speech.transcription import load_whisper
from pipeline.synthetic.grammar import Grammar

ROOT = Path(__file__).parents[2]
SIZES = ["--train-size", "4", "--valid-size", "2", "--test-size", "2"]
FOREIGN = "do not sound like those that its model learned from"
EXPECTED = PROFILES["demo"].whisper.expected_confidence


def printed(call: Callable[..., None], *arguments: object) -> str:
    with redirect_stdout(io.StringIO()) as out:
        call(*arguments)
    return out.getvalue()


def texts_of(folder: Path) -> dict[str, str]:
    return submission.read_task1(str(folder / submission.TASK1))


def real_speech(shared: Path) -> list[Path]:
    with (shared / "speech" / "clips.tsv").open(encoding="utf-8") as file:
        short = [row["path"] for row in csv.DictReader(file, delimiter="\t") if 1 < float(row["duration"]) < 6]
    return [shared / "speech" / path for path in short[:: len(short) // 5]]


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """Four of the shipped clips with their answers, two in each language."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "audio").mkdir()
    files = sorted((CLIPS / "audio").iterdir())[:4]
    for file in files:
        shutil.copy(file, folder / "audio")
    for name in (submission.TASK1, submission.TASK2):
        lines = (CLIPS / name).read_text(encoding="utf-8").splitlines(keepends=True)
        own = [line for line in lines if line.partition("\t")[0] in {file.stem for file in files}]
        (folder / name).write_text("".join(own), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def shown(clips, ray_cluster, tmp_path_factory) -> tuple[Path, str]:
    """The out folder of a demo, where an earlier one was stopped, and what was printed."""
    out = tmp_path_factory.mktemp("shown")
    for name in ("demo.json", "scores.json", "report.html", "reference/task1_answer.txt", "reference/old.txt"):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("left by the earlier one" if name != "demo.json" else '{"versions": {}}')
    return out, printed(demo_clips.show, str(out), clips)


def test_the_demo_replaces_an_earlier_one_with_answers_scores_and_a_page(shown, clips):
    out, _ = shown
    for name in (submission.TASK1, submission.TASK2):
        assert (out / "reference" / name).read_text() == (clips / name).read_text() and (out / name).stat().st_size
    assert {file.name for file in (out / "reference").iterdir()} == {submission.TASK1, submission.TASK2}
    scores = json.loads((out / "scores.json").read_text())
    assert scores["transcripts"]["all"]["clips"] == 4 and scores["transcripts"]["all"]["missing"] == 0
    assert scores["entities"]["reference"] == len(submission.read_task2(str(clips / submission.TASK2)))
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "This page holds patient text and sound." in page and "have their sound in it" not in page, "all have it"
    assert all(json.dumps(text, ensure_ascii=False)[1:-1] in page for text in texts_of(clips).values())


def test_it_prints_few_scores_by_language_and_where_to_look(shown):
    out, text = shown
    scores = json.loads((out / "scores.json").read_text())
    rows = {line[:26].strip(): line[26:].split() for line in text.splitlines() if re.search(r"\d$", line)}
    assert rows["recordings"] == ["2", "2", "4"]
    rates = (scores["transcripts"]["en"]["wer_norm"], scores["transcripts"]["zh"]["cer_norm"])
    assert rows["error rate of transcripts"][:2] == [f"{100 * rate:.1f}" for rate in rates]
    parts = [scores["entities"]["by_language"][language] for language in ("en", "zh")] + [scores["entities"]]
    assert rows["F1, type and text"] == [f"{100 * part['strict']['micro']['f1']:.1f}" for part in parts]
    assert rows["recall, type and time"] == [f"{100 * part['iou50']['micro']['recall']:.1f}" for part in parts]
    assert rows["leak recall"] == [f"{100 * part['leak_recall']:.1f}" for part in parts]
    assert f"Open {out}/report.html" in text and len(text.splitlines()) < 30


def test_the_clips_are_not_taken_for_foreign_speech(shown):
    out, text = shown
    assert FOREIGN not in text
    assert json.loads((out / "summary.json").read_text())["confidence"] > EXPECTED


@pytest.mark.slow
def test_the_same_command_gives_the_same_answers(shown, clips):
    out, _ = shown
    before = [(out / name).read_bytes() for name in (submission.TASK1, submission.TASK2, "scores.json")]
    demo_clips.show(str(out), clips)
    assert [(out / name).read_bytes() for name in (submission.TASK1, submission.TASK2, "scores.json")] == before


@pytest.mark.parametrize("arguments", [[], ["--train"]], ids=["clips", "training"])
def test_a_folder_of_something_else_is_refused_and_left_alone(arguments, tmp_path):
    (tmp_path / "scores.json").write_text("of somebody")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(UserError, match=f"--out {tmp_path} is not empty: give a folder of its own"):
        demo.main([*arguments, "--out", str(tmp_path)])
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "scores.json": "of somebody",
        "run.json": "{}",
    }


def test_the_demos_whisper_is_sure_of_the_clips_and_unsure_of_real_speech(shared):
    whisper = load_whisper(PROFILES["demo"])

    def confidence(files: list[Path]) -> float:
        heard = whisper.transcribe([decode(str(file), DecodingSettings()).samples for file in files])
        known = [transcript.confidence for transcript in heard if transcript.confidence is not None]
        assert len(known) >= len(files) - 1 and all(0 < one <= 1 for one in known)
        return sum(known) / len(known)

    assert confidence(sorted((CLIPS / "audio").iterdir())[:4]) > EXPECTED + 0.1
    assert confidence(real_speech(shared)) < EXPECTED - 0.1


@pytest.mark.slow
def test_a_run_on_real_speech_says_that_the_small_models_do_not_know_it(ray_cluster, shared, tmp_path):
    (tmp_path / "audio").mkdir()
    for path in real_speech(shared):
        (tmp_path / "audio" / path.name).symlink_to(path)
    text = printed(predict.main, ["--audio", str(tmp_path / "audio"), "--out", str(tmp_path / "out")])
    assert FOREIGN in text.splitlines()[-1] and "--profile rtx4090" in text.splitlines()[-1]


def test_a_new_clinic_says_nothing_twice_and_has_names_that_the_models_never_heard(tmp_path):
    sizes = Sizes(train=20, valid=6, test=6)
    demo_training.make_clinic(tmp_path / "clinic", sizes)
    parts = {folder.name: texts_of(folder) for folder in (tmp_path / "clinic").iterdir()}
    assert set(parts) == {"train", "valid", "test"}
    every = [text for texts in parts.values() for text in texts.values()]
    assert len(set(every)) == len(every) and len(parts["test"]) == 6 == len(parts["valid"])
    for name, texts in parts.items():
        folder = tmp_path / "clinic" / name
        assert {file.stem for file in (folder / "audio").iterdir()} == set(texts)
        assert set(submission.read_task2(str(folder / submission.TASK2))["recording_id"].to_pylist()) <= set(texts)
        assert any(Grammar(language).has_test_name(text) for text in texts.values() for language in ("en", "zh"))
        assert all(soundfile.info(file).duration > 0.5 for file in (folder / "audio").iterdir())


@pytest.mark.slow
def test_the_demo_of_training_compares_the_models_before_and_after(ray_cluster, tmp_path):
    sizes = Sizes(train=24, valid=12, test=4, asr_epochs=1, tagger_epochs=1)
    text = printed(demo_training.show, str(tmp_path / "out"), sizes)
    out = tmp_path / "out"
    scores = json.loads((out / "scores.json").read_text())
    assert set(scores) == {"before", "after"}
    assert all(of["transcripts"]["all"]["clips"] == 4 for of in scores.values())
    zh = [of["transcripts"]["zh"]["cer_norm"] for of in scores.values()]
    assert zh[0] == zh[1], "Whisper is not trained"
    used = json.loads((out / "after" / "run.json").read_text())["settings"]["models"]
    assert used["parakeet"] == str(out / "parakeet" / "parakeet.nemo")
    assert used["adapters"] == str(out / "taggers" / "adapters")
    assert (out / "parakeet" / "curves.png").is_file() and list(out.glob("taggers/adapters/*/curves.png"))
    assert re.search(r"before +after +before +after", text)


def test_a_command_makes_the_corpus(tmp_path, capsys):
    demo.main(["--make-corpus", str(tmp_path / "clinic"), *SIZES])
    assert {path.name for path in tmp_path.iterdir()} == {"clinic"}
    assert len(list((tmp_path / "clinic").rglob("*.flac"))) == 12
    assert "12 recordings" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{here}"], "is there already: give another folder, or remove it"),
        (["{here}/new", "--valid-size", "0"], "--valid-size 0: give a number from 1 to 100000"),
        (["s3://bucket/clinic"], "--make-corpus s3://bucket/clinic: training reads and writes mounted storage"),
        (["{here}/file/clinic"], "cannot be written"),
        (["{here}/new", "--train"], "--make-corpus makes a corpus and nothing else"),
    ],
)
def test_a_users_mistake_is_one_sentence(arguments, sentence, tmp_path):
    (tmp_path / "file").write_text("")
    arguments = [argument.replace("{here}", str(tmp_path)) for argument in arguments]
    with pytest.raises(UserError, match=sentence):
        demo.main(["--make-corpus", *arguments])


@pytest.mark.faults
def test_an_interrupted_making_leaves_nothing(tmp_path, monkeypatch):
    from pipeline.synthetic import corpus as synthetic

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic, "_write_labels", interrupt)
    with pytest.raises(KeyboardInterrupt):
        demo.main(["--make-corpus", str(tmp_path / "clinic"), *SIZES])
    assert not any(tmp_path.iterdir())


def test_help_teaches():
    command = [sys.executable, "-m", "jobs.demo", "--help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "--make-corpus" in shown and "espeak-ng" in shown and "--train" in shown
