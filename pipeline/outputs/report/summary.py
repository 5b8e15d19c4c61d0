"""The counts and times of a run that the page shows above its recordings."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.errors import UserError
from pipeline.files import absolute, filesystem
from pipeline.outputs.report.recordings import ReportRecording, Row

BINS = 20
"""Columns of the histogram of confidences, each 0.05 wide."""

_NOT_JUDGED = "not judged"


def counts(recordings: Sequence[ReportRecording]) -> dict[str, Any]:
    """Count recordings, transcripts by language, entities and seconds of audio."""
    languages = Counter(each.transcript["language"] for each in recordings if each.transcript)
    kept = [entity["kept"] for each in recordings for entity in each.entities]
    return {
        "recordings": sum(each.in_run for each in recordings),
        "not_in_run": sum(not each.in_run for each in recordings),
        "transcripts": languages.total(),
        "languages": dict(sorted(languages.items())),
        "without_speech": sum(each.transcript is not None and not each.transcript["text"] for each in recordings),
        "with_note": sum(bool(each.about.get("note")) for each in recordings),
        "failures": sum(each.failure is not None for each in recordings),
        "kept": sum(kept),
        "dropped": len(kept) - sum(kept),
        "audio_s": sum(each.about.get("duration_s") or 0.0 for each in recordings),
        "with_reference": sum(each.reference is not None for each in recordings),
        "with_sound": sum(each.sound is not None for each in recordings),
    }


def colours(recordings: Iterable[ReportRecording], groups: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Sort the types of the run and the reference into entity groups; the types of a group share a colour.

    Args:
        recordings: All recordings of the page.
        groups: Types by entity group. Other types belong to the group in the run's tables, or without one to ``other``.

    Returns:
        The types that occur, by entity group: all of ``groups``, then the others.
    """
    group_of = {type_: group for group, types in groups.items() for type_ in types}
    found: dict[str, set[str]] = defaultdict(set, {group: set() for group in groups})
    both = [some for each in recordings for some in (each.entities, each.reference.entities if each.reference else ())]
    rows = [row for some in both for row in some]
    for row in sorted(rows, key=lambda row: not row["group"]):
        found[group_of.setdefault(row["type"], row["group"] or "other")].add(row["type"])
    return {group: sorted(types) for group, types in found.items()}


def types_to_choose(types: Iterable[str], groups: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Sort the types that a reviewer may choose into entity groups, in the order of ``colours``.

    Args:
        types: The types. What is in no group belongs to ``patterns``.
        groups: All types by entity group, those of ``colours`` in its order.
    """
    group_of = {type_: group for group, some in groups.items() for type_ in some}
    found: dict[str, list[str]] = {group: [] for group in groups}
    for type_ in sorted(types):
        found.setdefault(group_of.get(type_, "patterns"), []).append(type_)
    return found


def types(recordings: Iterable[ReportRecording]) -> dict[str, dict[str, int]]:
    """Count entities by type, the most frequent first.

    Returns:
        For each type the number of entities that are ``found`` (in the reference and in the run), only ``predicted``,
        only in the ``reference``, ``not judged`` (without times or without a reference), and ``dropped``.
    """
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for each in recordings:
        for row in each.entities:
            counted[row["type"]][_judged(row) if row["kept"] else "dropped"] += 1
        for row in each.reference.entities if each.reference else ():
            if row.get("state") not in (None, "found"):
                counted[row["type"]]["reference"] += 1
    names = ("found", "predicted", "reference", _NOT_JUDGED, "dropped")

    def order(type_: str) -> tuple[int, int, str]:
        return (counted[type_]["dropped"] - counted[type_].total(), -counted[type_]["dropped"], type_)

    return {type_: {name: counted[type_][name] for name in names} for type_ in sorted(counted, key=order)}


def confidences(recordings: Iterable[ReportRecording]) -> dict[str, Any]:
    """Count kept entities by confidence.

    Returns:
        ``bins``: for each column the number of entities that are ``found``, only ``predicted`` and ``not judged``;
        ``none``: the number of entities without a confidence.
    """
    bins = [Counter[str]() for _ in range(BINS)]
    none = 0
    for row in (row for each in recordings for row in each.entities if row["kept"]):
        if row["confidence"] is None:
            none += 1
        else:
            bins[min(int(row["confidence"] * BINS), BINS - 1)][_judged(row)] += 1
    return {"bins": [{name: each[name] for name in ("found", "predicted", _NOT_JUDGED)} for each in bins], "none": none}


def dropped(recordings: Iterable[ReportRecording]) -> dict[str, int]:
    """Count dropped entities by cause, the most frequent first."""
    causes = Counter(row["cause"] or "unknown" for each in recordings for row in each.entities if not row["kept"])
    return dict(causes.most_common())


def failures(recordings: Iterable[ReportRecording]) -> list[dict[str, Any]]:
    """Group failures by stage and message, the most frequent first, with the ids of the recordings."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in recordings:
        if each.failure:
            found[each.failure["stage"], each.failure["error"]].append(each.recording_id)
    order = sorted(found, key=lambda reason: (-len(found[reason]), reason))
    return [{"stage": reason[0], "error": reason[1], "ids": found[reason]} for reason in order]


def times(run: str) -> dict[str, Any]:
    """Return the ``seconds`` of a run and its ``stages``; None and no stages if the folder has no ``summary.json``.

    Raises:
        UserError: The file is there and cannot be read.
    """
    fs, root = filesystem(absolute(run))
    if not fs.exists(f"{root}/summary.json"):
        return {"seconds": None, "stages": []}
    try:
        found = json.loads(fs.cat_file(f"{root}/summary.json"))
        return {"seconds": found["seconds"]["total"], "stages": stages(found)}
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"--run {run}: its summary.json cannot be read: give the out folder of jobs.predict.") from None


def stages(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the stages of a run's ``summary.json``, in its order, with seconds of work and the loads of their model."""
    seconds = {stage: each for stage, each in summary["seconds"].items() if stage != "total"}
    loads = {stage: summary["model_loads"].get(stage, {"loads": 0, "seconds": 0.0}) for stage in seconds}
    return [
        {"name": stage, "seconds": each, "loads": loads[stage]["loads"], "load_seconds": loads[stage]["seconds"]}
        for stage, each in seconds.items()
    ]


def _judged(row: Row) -> str:
    """Say how a kept entity of the run compares with the reference."""
    if not row.get("state"):
        return _NOT_JUDGED
    return "found" if row["state"] == "found" else "predicted"
