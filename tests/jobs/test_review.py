"""A review in the report: what a person decides in the browser is kept, saved, and taken by other jobs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from jobs import exchange, prepare, redact, report
from pipeline import submission, tables
from pipeline.errors import UserError
from tests.competition import write_folder
from tests.jobs.test_redact import change, write_run
from tests.jobs.test_report import chromium, data_of  # noqa: F401

ENGLISH = "Ann Lee 👩‍⚕️ came on May 5 , Bob and Eve said ."
TEXTS = {
    "1": (ENGLISH, [("PATIENT", "Ann Lee"), ("DATE", "May 5"), ("DOCTOR", "Bob")]),
    "2": ("王小明 在 鳳山醫院 看 醫師", [("PATIENT", "小明"), ("HOSPITAL", "鳳山醫院")]),
    "10": ("nothing to hide", []),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run that dropped a doctor, took May for a date, has half a name, a wrong type, and lacks Eve."""
    made = write_run(tmp_path_factory.mktemp("review"), TEXTS)
    dropped = {"kept": False, "cause": "threshold"}
    change(made, "entities", lambda rows: [row | dropped if row["type"] == "DOCTOR" else row for row in rows])
    report.main(["--run", str(made), "--out", str(made.parent / "page.html"), "--show-text"])
    return made


@pytest.fixture
def visit(chromium, run) -> Iterator[Any]:  # noqa: F811
    """Open the page; at the end, nothing may have gone wrong or asked for a network."""
    complaints: list[str] = []
    opened = []

    def visit(recording: str = "1", script: str = "", **options: Any) -> Any:
        page = chromium.new_page(**options)
        page.add_init_script(script)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        own = ("file:", "data:", "blob:")
        page.on("request", lambda request: request.url.startswith(own) or complaints.append(request.url))
        page.goto(f"{(run.parent / 'page.html').as_uri()}#r={recording}")
        opened.append(page)
        return page

    yield visit
    for page in opened:
        page.close()
    assert not complaints


def open_recording(page: Any, recording: str) -> None:
    page.locator(f"#list [data-recording='{recording}']").click()


def choose(page: Any, text: str, type_: str = "") -> None:
    """Choose an entity in the table."""
    page.locator("#entities .go", has_text=re.compile(f"{type_}.*{text}")).first.click()


def select(page: Any, text: str) -> None:
    """Select text in the transcript, with the spaces around it, as a mouse does."""
    page.evaluate(
        """(wanted) => {
          const walker = document.createTreeWalker($("transcript"), NodeFilter.SHOW_TEXT);
          const start = $("transcript").textContent.indexOf(wanted);
          const ends = [];
          for (let from = 0; walker.nextNode(); from += walker.currentNode.length) {
            for (const at of [start, start + wanted.length].slice(ends.length / 2)) {
              if (at <= from + walker.currentNode.length) ends.push(walker.currentNode, at - from);
            }
          }
          getSelection().setBaseAndExtent(...ends);
        }""",
        text,
    )
    page.locator("#do-add", has_text=f"“{text.strip()}”").wait_for()


def state(page: Any, text: str) -> str:
    """Return what the table says of an entity."""
    return page.locator("#entities tr", has_text=text).first.locator(".state").text_content()


def correct(page: Any) -> None:
    """Make five corrections, one of each kind, and check two recordings."""
    page.keyboard.press("d")
    choose(page, "Bob")
    page.keyboard.press("a")
    page.keyboard.press("d")
    choose(page, "May 5")
    page.locator("#do-reject").click()
    select(page, "Eve")
    page.select_option("#do-add-type", "PERSONALNAME")
    page.locator("#do-add").click()
    page.keyboard.press("c")
    open_recording(page, "2")
    choose(page, "鳳山醫院")
    page.select_option("#do-type", "ORGANIZATION")
    choose(page, "小明")
    page.locator("#do-start-back").click()
    page.locator("#checked").click()


def save(page: Any, folder: Path) -> Path:
    with page.expect_download() as download:
        page.locator("#save").click()
    assert download.value.suggested_filename == "corrections.json"
    download.value.save_as(folder / "corrections.json")
    return folder / "corrections.json"


@pytest.fixture(scope="module")
def decisions() -> dict[str, Any]:
    """What the corrections file has to hold of the five."""

    def place(text: str, label: str) -> dict[str, int]:
        return {"char_start": text.index(label), "char_end": text.index(label) + len(label)}

    first = [
        {"entity": 2, "decision": "accept"},
        {"entity": 1, "decision": "reject"},
        {"decision": "add", "type": "PERSONALNAME"} | place(ENGLISH, "Eve"),
    ]
    second = [
        {"entity": 1, "decision": "change", "type": "ORGANIZATION"} | place(TEXTS["2"][0], "鳳山醫院"),
        {"entity": 0, "decision": "change", "type": "PATIENT"} | place(TEXTS["2"][0], "王小明"),
    ]
    return {"1": {"checked": True, "entities": first}, "2": {"checked": True, "entities": second}}


@pytest.fixture
def corrections(run, decisions, tmp_path) -> Path:
    """The file that the page saves, without the page."""
    path = tmp_path / "corrections.json"
    digest = data_of(run.parent / "page.html")["run"]
    path.write_text(json.dumps({"corrections_of": digest, "recordings": decisions}), encoding="utf-8")
    return path


# In Chromium


def test_five_corrections_are_kept_in_the_browser_and_saved_without_any_text(visit, run, decisions, tmp_path):
    page = visit()
    correct(page)
    page.reload()
    assert page.locator("#reviewed").text_content() == "5 corrections, 2 of 3 recordings checked"
    content = save(page, tmp_path).read_text(encoding="utf-8")
    saved = json.loads(content)
    assert saved == {"corrections_of": data_of(run.parent / "page.html")["run"], "recordings": decisions}
    kept = page.evaluate("Object.entries(localStorage).flat().join()")
    assert saved["corrections_of"] in kept
    for secret in ("Ann", "Lee", "Bob", "Eve", "May", "明", "山"):
        assert secret not in content and secret not in kept


def test_corrections_are_seen_at_once_on_the_timeline_in_the_text_and_in_the_table(visit):
    page = visit()
    correct(page)
    assert state(page, "鳳山醫院") == "changed" and state(page, "王小明") == "changed"
    changed = page.locator("#transcript [data-type=ORGANIZATION]")
    assert changed.text_content() == "鳳山醫院"
    assert page.locator("#timeline .lane button", has_text="ORGANIZATION").count() == 1
    assert page.locator("#timeline .lane button", has_text="HOSPITAL").count() == 0
    assert "2 corrections, checked" in page.locator("[data-recording='2']").text_content()
    open_recording(page, "1")
    assert [state(page, text) for text in ("Bob", "May 5", "Eve")] == ["accepted", "rejected", "added"]
    rejected = page.locator("#transcript [data-type=DATE]")
    assert "line-through" in rejected.evaluate("each => getComputedStyle(each).textDecorationLine")
    added = page.locator("#transcript [data-type=PERSONALNAME]")
    assert added.text_content() == "Eve"
    assert added.evaluate("each => getComputedStyle(each).borderBottomStyle") == "solid"
    assert page.locator("#transcript").evaluate("each => each.textContent") == ENGLISH


def test_the_keyboard_alone_corrects_and_keeps_its_place(visit):
    page = visit("10")
    for key in ("Tab", "c"):
        page.keyboard.press(key)
    assert page.evaluate("reviews.get('10').checked")
    page.locator("#do-add-type").focus()
    page.keyboard.type("PATIENT")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # adds the word at the cursor
    assert page.locator("#transcript [data-type=PATIENT]").text_content() == "nothing"
    page.locator("#do-end-on").focus()
    for _ in range(2):
        page.keyboard.press("Enter")
    assert page.locator("#transcript [data-type=PATIENT]").text_content() == "nothing to hide"
    page.keyboard.press("Enter")
    assert page.locator("#said").text_content() == "There is no word further on."
    assert page.evaluate("document.activeElement.id") == "do-end-on"
    page.keyboard.press("u")
    assert page.locator("#transcript [data-entity]").count() == 0
    assert page.evaluate("document.activeElement.id") == "do-add"


def test_bounds_move_by_words_and_without_their_punctuation_or_to_what_is_selected(visit):
    page = visit()
    choose(page, "Ann Lee")

    def text() -> str:
        return page.locator("#editor .what bdi").text_content()

    for button, becomes in (("end-back", "Ann"), ("end-on", "Ann Lee"), ("start-on", "Lee"), ("end-on", None)):
        page.locator(f"#do-{button}").click()
        assert text() == becomes or (becomes is None and text().startswith("Lee 👩"))
    select(page, "came ")
    page.locator("#do-select").click()
    assert text() == "came" and state(page, "came") == "changed"


def test_what_was_not_decided_gives_way_and_two_decisions_never_overlap(visit):
    page = visit()
    select(page, "Lee")
    page.locator("#do-add").click()
    assert state(page, "Ann Lee") == "dropped: overlap"
    choose(page, "Ann Lee", "PATIENT")
    page.keyboard.press("a")
    assert page.locator("#said").text_content() == "It would overlap another decision: undo or move that one first."
    choose(page, "Lee", page.evaluate("typeToAdd"))
    page.keyboard.press("x")
    assert page.locator("#reviewed").text_content() == "no corrections, 0 of 3 recordings checked"
    assert state(page, "Ann Lee") == ""


def test_what_is_to_be_checked_is_listed(visit):
    page = visit()
    page.keyboard.press("c")
    for only, ids in (("to be checked", ["2", "10"]), ("checked", ["1"]), ("", ["1", "2", "10"])):
        page.select_option("#only", only)
        listed = page.locator("#list button").evaluate_all("all => all.map(each => each.dataset.recording)")
        assert listed == ids


def test_a_saved_file_is_loaded_again_and_one_of_another_run_is_refused(visit, corrections):
    page = visit()
    page.set_input_files("#file", corrections)
    page.locator("#loaded", has_text="corrections.json is loaded.").wait_for()
    assert page.locator("#reviewed").text_content() == "5 corrections, 2 of 3 recordings checked"
    content = json.loads(corrections.read_text(encoding="utf-8"))
    for wrong, sentence in (
        (content | {"corrections_of": "x"}, "is of another run, or the run has changed since."),
        (content | {"recordings": {"1": {"checked": 1}}}, "has a decision that cannot be one on this page."),
        ([], "is no corrections file."),
    ):
        corrections.write_text(json.dumps(wrong))
        page.set_input_files("#file", corrections)
        page.locator("#loaded", has_text=sentence).wait_for()
    assert page.locator("#reviewed").text_content() == "5 corrections, 2 of 3 recordings checked"


def test_a_browser_that_keeps_nothing_says_so(visit):
    refuse = "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no'); } })"
    page = visit(script=refuse)
    choose(page, "May 5")
    page.keyboard.press("x")
    assert page.locator("#not-kept").is_visible() and state(page, "May 5") == "rejected"


@pytest.mark.parametrize("width", [1280, 420])
def test_nothing_of_the_editor_is_wider_than_the_window(visit, width):
    page = visit(viewport={"width": width, "height": 900})
    choose(page, "Ann Lee")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("$('editor').scrollWidth <= $('editor').clientWidth")
    names = page.locator("#editor button, #editor select, .review button, #checked").evaluate_all(
        "all => all.map(each => each.ariaLabel || each.labels?.[0]?.textContent || each.textContent)"
    )
    assert all(names) and len(names) == 14


def test_a_page_without_text_has_no_review(chromium, run, tmp_path):  # noqa: F811
    report.main(["--run", str(run), "--out", str(tmp_path / "page.html")])
    page = chromium.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.keyboard.press("a")
    page.keyboard.press("x")
    assert page.locator(".review, #editor, #checked").count() == 0
    assert "run" not in data_of(tmp_path / "page.html")
    page.close()


# What other jobs make of the file


def test_redaction_leaves_in_what_was_rejected_and_takes_what_was_added_or_moved(run, corrections, tmp_path, capsys):
    out = tmp_path / "out"
    redact.main(["--run", str(run), "--out", str(out), "--corrections", str(corrections)])
    assert submission.read_task1(str(out / "task1_answer.txt")) == {
        "1": "[PATIENT] 👩‍⚕️ came on May 5 , [DOCTOR] and [PERSONALNAME] said .",
        "2": "[PATIENT] 在 [ORGANIZATION] 看 醫師",
        "10": "nothing to hide",
    }
    before, after = (soundfile.read(folder / "1.wav")[0] for folder in (run.parent / "recordings", out / "audio"))
    words = ENGLISH.split(" ")
    changed = {
        word
        for n, word in enumerate(words)
        if not np.array_equal(*(s[n * 8000 + 2400 : n * 8000 + 4800] for s in (before, after)))
    }
    assert changed == {"Ann", "Lee", "Bob", "Eve"}
    assert json.loads((out / "redaction_log.json").read_text(encoding="utf-8"))["corrections"] == 5
    said = capsys.readouterr().out
    assert "5 corrections of a review were applied first." in said and "Eve" not in said


def test_what_a_person_rejected_stays_though_it_is_named_elsewhere(tmp_path):
    text = "Ann Lee came , Ann said ."
    made = write_run(tmp_path, TEXTS | {"1": (text, [("PATIENT", "Ann Lee"), ("PATIENT", "Ann said")])})
    place = {"char_start": 15, "char_end": 18, "text": "Ann"}
    change(made, "entities", lambda rows: [row | place if row["text"] == "Ann said" else row for row in rows])
    report.main(["--run", str(made), "--out", str(tmp_path / "page.html"), "--show-text"])
    digest = data_of(tmp_path / "page.html")["run"]
    reviewed = {"1": {"checked": False, "entities": [{"entity": 1, "decision": "reject"}]}}
    file = tmp_path / "corrections.json"
    file.write_text(json.dumps({"corrections_of": digest, "recordings": reviewed}))
    redact.main(["--run", str(made), "--out", str(tmp_path / "out"), "--corrections", str(file)])
    assert submission.read_task1(str(tmp_path / "out" / "task1_answer.txt"))["1"] == "[PATIENT] came , Ann said ."


def test_checked_recordings_become_a_folder_to_train_on(run, corrections, ray_cluster, tmp_path, capsys):
    content = json.loads(corrections.read_text(encoding="utf-8"))
    content["recordings"]["10"] = {
        "checked": False,
        "entities": [{"decision": "add", "type": "DATE", "char_start": 0, "char_end": 7}],
    }
    corrections.write_text(json.dumps(content))
    folder, out = tmp_path / "corrected", tmp_path / "prepared"
    exchange.main(["from-corrections", "--run", str(run), "--file", str(corrections), "--out", str(folder)])
    said = capsys.readouterr().out
    assert "2 transcripts with 5 entities" in said and "1 recordings with corrections are not marked as checked" in said
    valid = write_folder(tmp_path / "valid", 901, range(6))
    prepare.main(["--train", str(folder), "--valid", str(valid), "--out", str(out)])
    rows = tables.read(str(out / "entities"), tables.ENTITIES).to_pylist()
    assert {(row["recording_id"], row["type"], row["text"]) for row in rows if len(row["recording_id"]) == 1} == {
        ("1", "PATIENT", "Ann Lee"),
        ("1", "DOCTOR", "Bob"),
        ("1", "PERSONALNAME", "Eve"),
        ("2", "PATIENT", "王小明"),
        ("2", "ORGANIZATION", "鳳山醫院"),
    }
    assert {row["source"] for row in rows} == {"gold"}


def test_nothing_checked_or_a_run_that_has_changed_is_an_error(run, corrections, tmp_path):
    options = ["from-corrections", "--run", str(run), "--file", str(corrections), "--out", str(tmp_path / "out")]
    content = json.loads(corrections.read_text(encoding="utf-8"))
    for wrong, sentence in (
        (content | {"recordings": {}}, "no recording is marked as checked"),
        (content | {"corrections_of": "x"}, "is of another run, or the run has changed since: make the report again"),
    ):
        corrections.write_text(json.dumps(wrong))
        with pytest.raises(UserError, match=sentence):
            exchange.main(options)
    for nothing in ("nowhere.json", ""):
        with pytest.raises(UserError, match=r"cannot be read"):
            redact.main(["--run", str(run), "--out", str(tmp_path / "out"), "--corrections", nothing])
    assert not (tmp_path / "out").exists()
