"""Reading competition folders, and what happens to an id that is in two of them."""

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import submission, tables
from pipeline.corpus import labels
from pipeline.corpus.folders import read_folder, resolve_clashes
from pipeline.errors import UserError
from pipeline.ids import id_order
from tests.competition import write_folder, write_sound


@pytest.fixture
def clashing(tmp_path):
    one = write_folder(tmp_path / "one", 1, [0, 1], audio=True)
    two = write_folder(tmp_path / "two", 2, [2, 3], audio=True)
    return [read_folder(str(one), "train", False), read_folder(str(two), "valid", False)]


def test_a_folder_holds_transcripts_labels_and_audio(tmp_path):
    folder = read_folder(str(write_folder(tmp_path / "folder", 1, [0, 5], audio=True)), "train", True)
    assert folder.name == "folder" and folder.ids == ["1", "2"] and not folder.malformed
    assert set(folder.transcripts) == set(folder.audio) == {"1", "2"}
    assert {row["type"] for row in folder.entities.to_pylist()} == {"PATIENT", "USERNAME", "DOCTOR", "PROFESSION"}


def test_an_id_in_two_folders_is_an_error_that_names_both_files(clashing):
    with pytest.raises(UserError) as error:
        resolve_clashes(clashing, "refuse")
    assert "Recording 2 is in " in str(error.value) and "--on-clash" in str(error.value)
    for folder in clashing:
        assert f"{folder.path}/task1_answer.txt" in str(error.value)


@pytest.mark.parametrize(("on_clash", "keeper"), [("keep-first", 0), ("keep-last", 1)])
def test_of_a_clashing_id_one_recording_is_kept_whole(clashing, on_clash, keeper):
    resolved = resolve_clashes(clashing, on_clash)
    assert [folder.name for folder in resolved] == ["one", "two"]
    for place, (before, after) in enumerate(zip(clashing, resolved, strict=True)):
        held = {"2"} if place == keeper else set()
        for part in (set(after.transcripts), set(after.audio), set(after.entities["recording_id"].to_pylist())):
            assert part & {"2"} == held
        assert after.dropped == (() if place == keeper else ("2",))
        assert after.transcripts.get("2", before.transcripts["2"]) == before.transcripts["2"]


def test_a_suffix_renames_the_later_recording_with_its_audio_and_labels(clashing):
    first, second = resolve_clashes(clashing, "suffix")
    assert first.ids == ["1", "2"] and second.ids == ["3", "2_two"]
    assert second.transcripts["2_two"] == clashing[1].transcripts["2"]
    assert second.audio["2_two"] == clashing[1].audio["2"]
    labels = [row["recording_id"] for row in second.entities.to_pylist()]
    assert labels.count("2_two") == clashing[1].entities["recording_id"].to_pylist().count("2") > 0


def test_audio_alone_clashes_too(tmp_path):
    one = write_folder(tmp_path / "one", 1, [0])
    two = write_folder(tmp_path / "two", 7, [1])
    write_sound(two / "audio" / "1.wav", 1.0, 16_000, 1)
    folders = [read_folder(str(folder), "train", False) for folder in (one, two)]
    with pytest.raises(UserError, match=r"one/task1_answer\.txt and in .*two/audio/1\.wav"):
        resolve_clashes(folders, "refuse")


def test_labels_of_another_folders_recording_never_take_its_place(tmp_path):
    one, two = write_folder(tmp_path / "one", 1, [0]), write_folder(tmp_path / "two", 5, [1])
    with (one / "task2_answer.txt").open("a") as file:
        file.write("5\tDATE\t0.1\t0.2\tMay\n")
    folders = [read_folder(str(one), "train", False), read_folder(str(two), "valid", False)]
    with pytest.raises(UserError, match=r"Recording 5 is in .*two/task1_answer\.txt and in .*one/task2_answer\.txt"):
        resolve_clashes(folders, "refuse")
    for on_clash in ("keep-first", "keep-last"):
        first, second = resolve_clashes(folders, on_clash)
        assert second.transcripts == folders[1].transcripts and second.entities.equals(folders[1].entities)
        assert first.ids == ["1"] and (first.dropped, first.dropped_labels) == (("5",), 1)


def test_a_suffix_that_another_recording_has_is_refused(tmp_path):
    one, two = write_folder(tmp_path / "one", 2, [0]), write_folder(tmp_path / "two", 2, [1])
    with (two / "task1_answer.txt").open("a") as file:
        file.write("2_two\tthird\n")
    folders = [read_folder(str(one), "train", False), read_folder(str(two), "valid", False)]
    with pytest.raises(UserError, match="recording 2_two is there too"):
        resolve_clashes(folders, "suffix")


def test_folders_of_the_same_name_are_refused(tmp_path):
    folders = [write_folder(tmp_path / parent / "train", i, [i]) for i, parent in enumerate("ab")]
    with pytest.raises(UserError, match="both called train"):
        resolve_clashes([read_folder(str(folder), "train", False) for folder in folders], "refuse")


def test_a_folder_without_submission_files_is_for_testing_only(tmp_path):
    folder = write_folder(tmp_path / "folder", 1, [0], audio=True)
    (folder / "task2_answer.txt").unlink()
    (folder / "task1_answer.txt").unlink()
    assert read_folder(str(folder), "test", False).ids == ["1"]
    with pytest.raises(UserError, match=r"--valid .* lacks task1_answer\.txt"):
        read_folder(str(folder), "valid", False)
    shutil.rmtree(folder / "audio")
    with pytest.raises(UserError, match=r"--test .* lacks both audio/ and task1_answer\.txt"):
        read_folder(str(folder), "test", False)
    with pytest.raises(UserError, match=r"--train .*no such folder"):
        read_folder(str(folder / "nowhere"), "train", False)


def test_strict_stops_at_a_malformed_line_and_the_default_goes_on(tmp_path):
    folder = write_folder(tmp_path / "folder", 1, [0, 1])
    with (folder / "task1_answer.txt").open("a") as file:
        file.write("no tab\n")
    assert len(read_folder(str(folder), "train", False).malformed) == 1
    with pytest.raises(UserError, match=r"task1_answer\.txt, line 3"):
        read_folder(str(folder), "train", True)


TEXT = st.text(st.sampled_from("今天 Dr.Lee來 Now 10–é,。"), max_size=20)
MILLISECONDS = st.integers(0, 10**6)
LABEL = st.tuples(st.sampled_from(["DATE", "LOCATION-OTHER"]), MILLISECONDS, MILLISECONDS, TEXT.map(str.strip))


@given(st.dictionaries(st.integers(1, 99).map(str), st.tuples(TEXT, st.sets(LABEL, max_size=4)), min_size=1))
def test_sorted_tables_without_duplicates_become_task_files_and_the_same_tables_again(tmp_path_factory, recordings):
    texts = {recording_id: text for recording_id, (text, _) in recordings.items()}
    rows = [
        {
            "recording_id": recording_id,
            "type": type_,
            "group": "",
            "text": text,
            "start_s": min(a, b) / 1000,
            "end_s": max(a, b) / 1000,
            "source": "gold",
            "kept": True,
        }
        for recording_id, (_, labels) in recordings.items()
        for type_, a, b, text in labels
    ]
    rows = list({tuple(row.values()): row for row in rows}.values())
    rows.sort(key=lambda r: (id_order(r["recording_id"]), r["start_s"], r["end_s"], r["type"], r["text"]))
    folder = tmp_path_factory.mktemp("folder")
    entities = tables.from_rows(rows, tables.ENTITIES)

    def write(transcripts, entities):
        submission.write_task1(transcripts, f"{folder}/task1_answer.txt")
        submission.write_task2(entities, f"{folder}/task2_answer.txt")
        return read_folder(str(folder), "train", True)

    read = write(labels.transcripts([_holding(texts)]), entities)
    transcripts, found = labels.transcripts([read]), labels.labels([read])
    assert {row["recording_id"]: row["text"] for row in transcripts.to_pylist()} == texts
    assert found.equals(entities)
    again = write(transcripts, found)
    assert labels.transcripts([again]).equals(transcripts) and labels.labels([again]).equals(found)


def _holding(texts):
    from pipeline.corpus.folders import Folder

    return Folder("made", "made", "train", texts, tables.ENTITIES.empty_table(), {})
