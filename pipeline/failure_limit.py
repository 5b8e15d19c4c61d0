"""The share of failed recordings above which a run stops instead of failing at all that are left."""

from collections import Counter

from pipeline.errors import UserError

_LEAST = 20  # recordings; a share of fewer says little


class FailureLimit:
    """Counts finished recordings, and how many of them failed for which reason.

    Args:
        share: The greatest share of failures, from 0 to 1, where at least 20 recordings are finished.
        finished: Recordings that earlier calls have finished.
    """

    def __init__(self, share: float, finished: int = 0):
        self._share = share
        self._finished = finished
        self._reasons: Counter[str] = Counter()

    def count(self, failure: str | None) -> None:
        """Count a finished recording.

        Args:
            failure: Stage and error, without patient text, or None.

        Raises:
            UserError: More than the share has failed.
        """
        self._finished += 1
        if failure is not None:
            self._reasons[failure] += 1
        failed = self._reasons.total()
        if self._finished >= _LEAST and failed > self._share * self._finished:
            ((reason, often),) = self._reasons.most_common(1)
            raise UserError(
                f"{failed} of the first {self._finished} recordings failed, which is more than --max-failures "
                f"{self._share:g}. Most frequent reason ({often}): {reason}. What is finished is kept: the same "
                "command goes on, with --retry-failed it tries these again, and --max-failures 1 stops at nothing."
            )
