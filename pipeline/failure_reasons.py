"""Why recordings failed, in a line."""

from collections import Counter
from collections.abc import Iterable

_SHOWN = 5


def by_reason(failures: Iterable[tuple[str, str]]) -> str | None:
    """Count failures by reason, the most frequent first.

    Args:
        failures: Of each failed recording, the stage and the error, which holds no patient text.

    Returns:
        Such as ``3 failures: 2 decode (AudioError: no samples), 1 tagger (RuntimeError in x.py, line 3)``, or None if
        nothing failed. Rare reasons are counted together.
    """
    reasons = Counter(failures)
    if not reasons:
        return None
    shown = [f"{often} {stage} ({error})" for (stage, error), often in reasons.most_common(_SHOWN)]
    if rare := reasons.most_common()[_SHOWN:]:
        shown.append(f"{sum(often for _, often in rare)} for {len(rare)} other reasons")
    count = reasons.total()
    return f"{count} failure{'s' * (count > 1)}: {', '.join(shown)}"
