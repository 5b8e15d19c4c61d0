"""The content of a run's report: what the page says of the run, and what it shows of each recording."""

from collections.abc import Collection
from typing import Any

from pipeline.outputs.progress import Track, no_progress
from pipeline.outputs.report import page, summary
from pipeline.outputs.report.comparison import compare
from pipeline.outputs.report.recordings import for_page, recordings_of
from pipeline.outputs.report.sound import ENVELOPE_HZ, add_sound
from pipeline.outputs.review import digest
from pipeline.outputs.review_import import known_to
from pipeline.run_folder import read_run
from pipeline.scoring.comparable import comparable
from pipeline.submission import Submission
from pipeline.tagging.entity_groups import load_entity_groups

SOUND_MB = 6.0


def make_page(
    run: str,
    reference: Submission | None,
    show_text: bool,
    sound_mb: float = SOUND_MB,
    track: Track = no_progress,
    schemes: Collection[str] = (),
) -> tuple[int, str, str]:
    """Make the HTML page of a run.

    Args:
        run: Folder of a finished run.
        reference: Transcripts, entities or both to compare the run with.
        show_text: Include transcripts, texts of entities and sound.
        sound_mb: Most megabytes of sound in the page.
        track: Shows the progress of decoding the recordings.
        schemes: Schemes of addresses from which recordings may be read, see ``files.not_opened``.

    Returns:
        The number of recordings in the page, the page, and what cannot be compared with the reference, or "".

    Raises:
        UserError: The folder holds no finished run, its ``summary.json`` cannot be read, or the reference has
            nothing to compare it with.
    """
    read, times = read_run(run), summary.times(run)
    scores: dict[str, Any] = {}
    recordings, note = recordings_of(read), ""
    if reference:
        reference, note = comparable(reference, f"--run {run}", read["recordings"]["recording_id"].to_pylist())
        recordings, scores = compare(recordings, reference, read["entities"], with_spans=show_text)
    recordings = add_sound(recordings, 1e6 * sound_mb if show_text else 0.0, track, schemes)
    built_in = {group.name: list(group.types) for group in load_entity_groups()}
    groups = summary.colours(recordings, built_in)
    content = {
        "show_text": show_text,
        "counts": summary.counts(recordings),
        "groups": groups,
        "scores": scores,
        "types": summary.types(recordings),
        "confidences": summary.confidences(recordings),
        "dropped": summary.dropped(recordings),
        "failures": summary.failures(recordings),
        **times,
    }
    data = {
        "groups": groups,
        "envelope_hz": ENVELOPE_HZ,
        "show_text": show_text,
        "recordings": [for_page(recording, show_text) for recording in recordings],
    }
    if show_text:
        of_group = {group: [*types, *built_in.get(group, ())] for group, types in groups.items()}
        data |= {"run": digest(read), "types": summary.types_to_choose(known_to(read), of_group)}
    return len(recordings), page.render(content, data), note
