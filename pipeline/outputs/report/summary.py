"""The counts of a run that the page shows above its recordings."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.outputs.report.recordings import Recording, Row

BINS = 20
"""Columns of the histogram of confidences, each 0.05 wide."""

_NOT_JUDGED = "not judged"


def counts(recordings: Sequence[Recording]) -> dict[str, Any]:
    """Count recordings, transcripts by language, entities and seconds of audio."""
    languages = Counter(each.transcript["language"] for each in recordings if each.transcript)
    kept = [entity["kept"] for each in recordings for entity in each.entities]
    return {
        "recordings": sum(each.in_run for each in recordings),
        "not_in_run": sum(not each.in_run for each in recordings),
        "transcripts": languages.total(),
        "languages": dict(sorted(languages.items())),
        "without_speech": sum(each.transcript is not None and not each.transcript["text"] for each in recordings),
        "failures": sum(each.failure is not None for each in recordings),
        "kept": sum(kept),
        "dropped": len(kept) - sum(kept),
        "audio_s": sum(each.about.get("duration_s") or 0.0 for each in recordings),
        "with_reference": sum(each.reference is not None for each in recordings),
        "with_sound": sum(each.sound is not None for each in recordings),
    }


def colours(recordings: Iterable[Recording], groups: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Put the types of the run and the reference into groups that share a colour.

    Args:
        recordings: All that the page shows.
        groups: Types by group. A type of none of them belongs to the group that the run's tables name, or to ``other``.

    Returns:
        All of ``groups``, then the others; types that do not occur are left out.
    """
    group_of = {type_: group for group, types in groups.items() for type_ in types}
    found: dict[str, set[str]] = defaultdict(set, {group: set() for group in groups})
    rows = [row for each in recordings for row in _all_entities(each)]
    for row in sorted(rows, key=lambda row: not row["group"]):
        found[group_of.setdefault(row["type"], row["group"] or "other")].add(row["type"])
    return {group: sorted(types) for group, types in found.items()}


def types(recordings: Iterable[Recording]) -> dict[str, dict[str, int]]:
    """Count entities by type, the most frequent first.

    Returns:
        Of each type those ``found`` (in the reference and in the run), only ``predicted``, only in the ``reference``,
        ``not judged`` as the reference does not hold their recording or they have no times, and those ``dropped``.
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


def confidences(recordings: Iterable[Recording]) -> dict[str, Any]:
    """Count kept entities by confidence.

    Returns:
        ``bins``: for each column those ``found``, only ``predicted`` and ``not judged``; ``none``: how many entities
        have no confidence.
    """
    bins = [Counter[str]() for _ in range(BINS)]
    none = 0
    for row in (row for each in recordings for row in each.entities if row["kept"]):
        if row["confidence"] is None:
            none += 1
        else:
            bins[min(int(row["confidence"] * BINS), BINS - 1)][_judged(row)] += 1
    return {"bins": [{name: each[name] for name in ("found", "predicted", _NOT_JUDGED)} for each in bins], "none": none}


def dropped(recordings: Iterable[Recording]) -> dict[str, int]:
    """Count dropped entities by cause, the most frequent first."""
    causes = Counter(row["cause"] or "unknown" for each in recordings for row in each.entities if not row["kept"])
    return dict(causes.most_common())


def failures(recordings: Iterable[Recording]) -> list[dict[str, Any]]:
    """Group failures by stage and message, the most frequent first, with the ids of the recordings."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in recordings:
        if each.failure:
            found[each.failure["stage"], each.failure["error"]].append(each.recording_id)
    order = sorted(found, key=lambda reason: (-len(found[reason]), reason))
    return [{"stage": reason[0], "error": reason[1], "ids": found[reason]} for reason in order]


def stages(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the stages of a run's ``summary.json``, in their order, with seconds of work and loads of their model."""
    never = {"loads": 0, "seconds": 0.0}
    loads = {stage: summary["model_loads"].get(stage, never) for stage in summary["seconds"] if stage != "total"}
    return [
        {
            "name": stage,
            "seconds": summary["seconds"][stage],
            "loads": of_model["loads"],
            "load_seconds": of_model["seconds"],
        }
        for stage, of_model in loads.items()
    ]


def _judged(row: Row) -> str:
    """Say what became of a kept entity of the run."""
    if not row.get("state"):
        return _NOT_JUDGED
    return "found" if row["state"] == "found" else "predicted"


def _all_entities(recording: Recording) -> Iterable[Row]:
    yield from recording.entities
    yield from recording.reference.entities if recording.reference else ()
