"""What a run says at its end."""

from collections.abc import Mapping
from typing import Any

from pipeline import tables
from pipeline.failure_reasons import by_reason


def print_summary(
    summary: Mapping[str, Any], out: str, left_out: str, expected_confidence: float, profile: str
) -> None:
    """Print what was made, and what to look at.

    Args:
        summary: As ``pipeline.run_closing.close_run`` returns it.
        out: The out folder of the run.
        left_out: What lies beside the recordings, in words.
        expected_confidence: Whisper's mean confidence below which its model does not know such recordings.
        profile: The profile of the run.
    """
    print(
        f"{summary['transcripts']} transcripts with {summary['entities']} entities "
        f"({summary['further_mentions']} further mentions), {summary['failures']} failures, "
        f"from {summary['recordings']} recordings ({summary['audio_seconds']:.0f} s of audio) "
        f"in {summary['seconds']['total']:.0f} s: {out}"
    )
    if left_out:
        print(f"Left out below --audio: {left_out}.")
    if summary["with_note"]:
        print(f"{summary['with_note']} recordings have a note (incomplete, ...): see the table recordings/.")
    if summary["without_times"]:
        print(f"{summary['without_times']} entities have no times: they are in the table entities/ alone.")
    if summary["failures"]:
        failures = tables.read(f"{out}/failures", tables.FAILURES).to_pylist()
        print(f"{by_reason((row['stage'], row['error']) for row in failures)}.")
        print("The table failures/ names them; --retry-failed tries these again.")
    confidence = summary["confidence"]
    if confidence is not None and confidence < expected_confidence:
        hint = " For the real models give --profile rtx4090 (see docs/models.md)." * (profile == "demo")
        print(
            f"Whisper's mean confidence is {confidence:.2f}, below --whisper.expected-confidence "
            f"{expected_confidence:g}: these recordings do not sound like those that its model learned from.{hint}"
        )
