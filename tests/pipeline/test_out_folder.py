"""The out folder of a job: whose it is, and how interrupted work goes on."""

import json

import pytest

from pipeline.errors import UserError
from pipeline.out_folder import OutFolder, differences

pytestmark = pytest.mark.faults

ASKED = {"settings": {"epochs": 3, "rate": 1e-3}, "sha256": {"train.jsonl": "ab"}}


@pytest.fixture
def folder(tmp_path) -> OutFolder:
    return OutFolder(str(tmp_path / "out"), "training.json", "card.json", ["model"])


def names(folder: OutFolder, tmp_path) -> set[str]:
    return {file.name for file in (tmp_path / "out").iterdir()}


def interrupted(folder: OutFolder, tmp_path) -> None:
    """Begin, and make a part of the work."""
    folder.begin(ASKED, overwrite=False)
    (tmp_path / "out" / "model").write_text("half of it")


def test_work_begins_in_a_folder_of_its_own(folder, tmp_path):
    assert folder.resume(ASKED, overwrite=False) is None
    state = json.loads((tmp_path / "out" / "training.json").read_text())
    assert state["settings"] == ASKED["settings"] and set(state["versions"]) >= {"python", "torch", "ray"}
    (tmp_path / "out" / "training.json").unlink()
    (tmp_path / "out" / "letter.txt").write_text("of somebody")
    with pytest.raises(UserError, match="is not empty: give a folder of its own"):
        folder.resume(ASKED, overwrite=True)
    assert names(folder, tmp_path) == {"letter.txt"}


def test_a_store_without_empty_folders_can_be_a_new_out_folder(monkeypatch):
    """An object store forgets a folder that holds nothing, so that listing it finds no such thing."""
    from fsspec.implementations.memory import MemoryFileSystem

    monkeypatch.setattr(MemoryFileSystem, "makedirs", lambda self, path, exist_ok=False: None)
    folder = OutFolder("memory://bucket/new/", "training.json", "card.json", ["model"])
    assert folder.resume(ASKED, overwrite=False) is None
    assert folder.read_state()["settings"] == ASKED["settings"]
    with pytest.raises(UserError, match="is not empty"):
        OutFolder("memory://bucket/new", "run.json", "summary.json", []).check(overwrite=True)


def test_a_shared_folder_may_hold_more_and_keeps_it(folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").write_text("of somebody")
    shared = OutFolder(folder.path, folder.state, folder.finished, folder.made, shared=True)
    assert shared.resume(ASKED, overwrite=True) is None
    (tmp_path / "out" / "card.json").write_text("{}")
    with pytest.raises(UserError, match="is finished already"):
        shared.check(overwrite=False)
    shared.begin(ASKED, overwrite=True)
    assert names(folder, tmp_path) == {"letter.txt", "training.json"}


@pytest.mark.parametrize("state", [None, "{", "[]", '{"audio": "of another program"}'])
def test_what_is_not_its_own_is_refused_whatever_may_be_overwritten(folder, tmp_path, state):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model").write_text("of somebody")
    if state is not None:
        (tmp_path / "out" / "training.json").write_text(state)
    for shared in (True, False):
        of_job = OutFolder(folder.path, folder.state, folder.finished, folder.made, shared=shared)
        with pytest.raises(UserError, match=r"give (another|a) folder"):
            of_job.resume(ASKED, overwrite=True)
    assert (tmp_path / "out" / "model").read_text() == "of somebody"


def test_settings_that_are_free_may_be_others_when_work_goes_on(tmp_path):
    folder = OutFolder(str(tmp_path), "training.json", "card.json", ["model"], free=["pool"])
    folder.begin({"settings": {"tagger": {"rank": 8, "pool": {"actors": 1}}}}, overwrite=False)
    (tmp_path / "model").touch()
    assert folder.resume({"settings": {"tagger": {"rank": 8, "pool": {"actors": 2}}}}, overwrite=False)
    with pytest.raises(UserError, match=r"settings\.tagger\.rank was 8 and is 4"):
        folder.resume({"settings": {"tagger": {"rank": 4}}}, overwrite=False)


def test_interrupted_work_goes_on_with_the_same_command(folder, tmp_path):
    interrupted(folder, tmp_path)
    assert folder.resume(ASKED, overwrite=False) == "Going on with interrupted work."
    assert (tmp_path / "out" / "model").read_text() == "half of it"


def test_libraries_that_changed_since_then_are_named(folder, tmp_path):
    interrupted(folder, tmp_path)
    file = tmp_path / "out" / "training.json"
    state = json.loads(file.read_text())
    state["versions"]["torch"] = "1.0"
    file.write_text(json.dumps(state))
    resumed = folder.resume(ASKED, overwrite=False)
    assert resumed is not None and 'Other libraries since then: torch was "1.0" and is "' in resumed


def test_what_differs_is_named_and_nothing_is_lost(folder, tmp_path):
    interrupted(folder, tmp_path)
    other = {"settings": {"epochs": 5, "rate": 1e-3}, "sha256": {"train.jsonl": "cd"}}
    with pytest.raises(UserError) as refused:
        folder.resume(other, overwrite=False)
    assert "settings.epochs was 3 and is 5; sha256.train.jsonl has other contents" in str(refused.value)
    assert "--overwrite to replace it" in str(refused.value)
    assert (tmp_path / "out" / "model").read_text() == "half of it"
    assert folder.resume(other, overwrite=True) is None
    assert names(folder, tmp_path) == {"training.json"}


def test_work_of_which_nothing_is_done_binds_nobody(folder):
    folder.begin(ASKED, overwrite=False)
    assert folder.resume({"settings": {}}, overwrite=False) is None
    assert folder.read_state()["settings"] == {}


def test_finished_work_stays_unless_it_may_be_overwritten(folder, tmp_path):
    interrupted(folder, tmp_path)
    (tmp_path / "out" / "card.json").write_text("{}")
    with pytest.raises(UserError, match="is finished already: give another folder, or --overwrite"):
        folder.resume(ASKED, overwrite=False)
    folder.begin(ASKED, overwrite=True)
    assert names(folder, tmp_path) == {"training.json"}


def test_a_state_that_cannot_be_read_is_one_sentence(folder, tmp_path):
    interrupted(folder, tmp_path)
    (tmp_path / "out" / "training.json").write_text("{")
    with pytest.raises(UserError, match=r"its training\.json is damaged, or not of this program"):
        folder.resume(ASKED, overwrite=False)


def test_many_differences_are_counted(folder, tmp_path):
    before, now = ({str(n): value for n in range(5)} for value in (0, 1))
    assert list(differences(before, now)) == [f"{n} was 0 and is 1" for n in range(5)]
    folder.begin({"settings": before}, overwrite=False)
    (tmp_path / "out" / "model").write_text("half of it")
    with pytest.raises(UserError, match=r"settings\.2 was 0 and is 1; and 2 more"):
        folder.resume({"settings": now}, overwrite=False)


def test_what_is_new_or_gone_is_said_without_its_contents():
    before, now = {"adapters": {"names": {"rank": 8}}, "資料": "甲"}, {"adapters": {"care": {"rank": 8}}, "資料": "乙"}
    assert list(differences(before, now)) == [
        "adapters.names is gone",
        "adapters.care is new",
        '資料 was "甲" and is "乙"',
    ]
