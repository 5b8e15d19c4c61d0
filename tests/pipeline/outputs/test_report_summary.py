"""The counts of the report."""

from pipeline.outputs.report import summary
from pipeline.outputs.report.recordings import Reference, ReportRecording


def entity(type_, state=None, confidence=None, kept=True, group="names", cause=None):
    return {"type": type_, "group": group, "state": state, "confidence": confidence, "kept": kept, "cause": cause}


RECORDINGS = [
    ReportRecording(
        "1",
        {"duration_s": 2.0},
        {"language": "en", "text": "a"},
        entities=[
            entity("DATE", "found", 1.0),
            entity("DATE", "spurious", 0.049),
            entity("CITY", "wrong type", 0.05),
            entity("CITY", kept=False, cause="threshold"),
        ],
        reference=Reference("a", [entity("DATE", "found"), entity("DATE", "missed"), entity("AGE", "wrong type")]),
    ),
    ReportRecording(
        "2", {"duration_s": 1.5}, {"language": "zh", "text": ""}, entities=[entity("AGE", confidence=0.999)]
    ),
    ReportRecording("3", failure={"stage": "decode", "error": "x"}),
    ReportRecording("4", failure={"stage": "tag", "error": "x"}),
    ReportRecording("5", failure={"stage": "decode", "error": "x"}),
    ReportRecording("6", reference=Reference("b", [entity("NEW", "missed", group="")])),
]


def test_recordings_are_counted_whole():
    counted = summary.counts(RECORDINGS)
    assert (counted["recordings"], counted["not_in_run"], counted["with_reference"]) == (5, 1, 2)
    assert (counted["transcripts"], counted["languages"], counted["without_speech"]) == (2, {"en": 1, "zh": 1}, 1)
    assert (counted["failures"], counted["kept"], counted["dropped"], counted["audio_s"]) == (3, 4, 1, 3.5)


def test_types_are_counted_by_what_became_of_them_the_most_frequent_first():
    counted = {type_: list(found.values()) for type_, found in summary.types(RECORDINGS).items()}
    assert list(summary.types(RECORDINGS)["DATE"]) == ["found", "predicted", "reference", "not judged", "dropped"]
    assert counted == {"DATE": [1, 1, 1, 0, 0], "AGE": [0, 0, 1, 1, 0], "CITY": [0, 1, 0, 0, 1], "NEW": [0, 0, 1, 0, 0]}
    assert list(counted) == ["DATE", "AGE", "CITY", "NEW"]


def test_types_have_the_colour_of_their_group_and_unknown_ones_that_of_the_table():
    rows = [entity("CITY", group=""), entity("BADGE", group="mine"), entity("BADGE", group=""), entity("ODD", group="")]
    found = summary.colours(
        [ReportRecording("1", entities=rows)], {"names": ["PATIENT"], "addresses": ["CITY", "STREET"]}
    )
    assert found == {"names": [], "addresses": ["CITY"], "mine": ["BADGE"], "other": ["ODD"]}


def test_confidences_fall_into_twenty_columns():
    found = summary.confidences([*RECORDINGS, ReportRecording("7", entities=[entity("DATE")])])
    filled = {place: bin_ for place, bin_ in enumerate(found["bins"]) if any(bin_.values())}
    assert filled == {
        0: {"found": 0, "predicted": 1, "not judged": 0},
        1: {"found": 0, "predicted": 1, "not judged": 0},
        19: {"found": 1, "predicted": 0, "not judged": 1},
    }
    assert found["none"] == 1 and len(found["bins"]) == 20


def test_failures_and_causes_are_grouped():
    assert summary.failures(RECORDINGS) == [
        {"stage": "decode", "error": "x", "ids": ["3", "5"]},
        {"stage": "tag", "error": "x", "ids": ["4"]},
    ]
    assert summary.dropped(RECORDINGS) == {"threshold": 1}


def test_stages_have_their_seconds_and_the_loads_of_their_model():
    of_run = {
        "seconds": {"total": 9.0, "decode": 1.0, "tag": 6.0},
        "model_loads": {"tag": {"loads": 2, "seconds": 3.0}},
    }
    assert summary.stages(of_run) == [
        {"name": "decode", "seconds": 1.0, "loads": 0, "load_seconds": 0.0},
        {"name": "tag", "seconds": 6.0, "loads": 2, "load_seconds": 3.0},
    ]


def test_types_to_choose_have_the_groups_of_the_colours_also_where_none_occurs():
    groups = {"names": ["PATIENT"], "times": ["DATE", "TIME"], "other": ["NEW"]}
    found = summary.types_to_choose(["TIME", "NEW", "PHONE", "PATIENT", "DATE"], groups)
    assert list(found.items()) == [
        ("names", ["PATIENT"]),
        ("times", ["DATE", "TIME"]),
        ("other", ["NEW"]),
        ("patterns", ["PHONE"]),
    ]
