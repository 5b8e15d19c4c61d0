"""The share of failed recordings above which a run stops instead of failing at all that are left."""

from collections import Counter

from pipeline.errors import UserError

_LEAST = 20  # recordings; a share of fewer says little
_FILES_FAULT = "decode"


class FailureLimit:
    """Counts finished recordings, and how many of them failed for which reason.

    Files that cannot be decoded may stand together, so they are compared with all recordings of the run. Other failures
    are compared with the recordings finished so far: where the machine is at fault, the run soon stops.

    Args:
        share: The greatest share of failures, from 0 to 1, where there are at least 20 recordings.
        recordings: All recordings of the run.
        finished: Those that earlier calls have finished.
    """

    def __init__(self, share: float, recordings: int, finished: int = 0):
        self._share = share
        self._recordings = recordings
        self._finished = finished
        self._reasons: Counter[tuple[str, str]] = Counter()

    def count(self, stage: str | None, error: str | None) -> None:
        """Count a finished recording.

        Args:
            stage: The stage in which it failed, or None.
            error: The reason, without patient text, or None.

        Raises:
            UserError: More than the share has failed.
        """
        self._finished += 1
        if stage is not None and error is not None:
            self._reasons[stage, error] += 1
        failed = self._reasons.total()
        elsewhere = sum(often for (stage, _), often in self._reasons.items() if stage != _FILES_FAULT)
        for count, of in ((failed, self._recordings), (elsewhere, self._finished)):
            if of >= _LEAST and count > self._share * of:
                (((stage, error), often),) = self._reasons.most_common(1)
                raise UserError(
                    f"{failed} of {self._finished} finished recordings failed (--max-failures {self._share:g}), "
                    f"most often ({often}) for this reason: {stage}: {error}. What is finished is kept: the same "
                    "command goes on, with --retry-failed it tries these again, and --max-failures 1 stops at nothing."
                )
