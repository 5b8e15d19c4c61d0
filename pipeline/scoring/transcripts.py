"""Word, character and mixed error rates of transcripts.

Only recordings with a transcript in the reference are scored. If the submission lacks one, its transcript counts as
empty. A rate is the number of edits (substitutions, deletions and insertions) divided by the number of tokens in the
reference. It can be above 1, and it is undefined (None) if the reference has no tokens.

* ``wer``: tokens are words separated by spaces.
* ``cer``: tokens are characters, including the spaces between words, as in jiwer.
* ``mer``: tokens are CJK ideographs and the words between them.
* ``mer_per_file``: mean over recordings of edits / (hits + edits), in tokens of ``mer``. It is 1 for a missing
  recording, and 0 if reference and submission are both empty.

Each rate also exists with ``_norm``, on texts normalised by :func:`pipeline.scoring.normalise.normalise`. A recording
is ``zh`` if its reference contains a CJK ideograph, else ``en``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jiwer
import numpy as np

from pipeline.ids import id_order
from pipeline.scoring.bootstrap import interval, resample
from pipeline.scoring.normalise import mixed_tokens, normalise
from pipeline.speech.language import language_of

HITS, SUBSTITUTIONS, DELETIONS, INSERTIONS = range(4)

_MEASURES = {"en": ("wer", "mer"), "zh": ("cer", "mer"), "all": ("mer",)}
_FORMS: dict[str, Callable[[str], str]] = {"": str, "_norm": normalise}


@dataclass(frozen=True)
class Counts:
    """Counts for each recording from which the rates are computed.

    Attributes:
        ids: Sorted ids of the recordings of the reference.
        languages: ``en`` or ``zh`` of each recording, shape (recordings,).
        missing: Whether the submission lacks each recording, shape (recordings,).
        edits: Hits, substitutions, deletions and insertions by measure (``wer``, ``wer_norm``, ...), each of shape
            (recordings, 4). ``wer`` is counted only for English and ``cer`` only for Mandarin; other rows are 0.
        extra: Number of recordings that only the submission has.
    """

    ids: list[str]
    languages: np.ndarray
    missing: np.ndarray
    edits: dict[str, np.ndarray]
    extra: int


def count_edits(measure: str, reference: str, answer: str) -> list[int]:
    """Count hits, substitutions, deletions and insertions between two transcripts.

    Args:
        measure: ``wer``, ``cer`` or ``mer``.
        reference: The reference transcript.
        answer: The transcript to score.
    """
    found: jiwer.WordOutput | jiwer.CharacterOutput
    if measure == "cer":
        found = jiwer.process_characters(reference, answer)
    elif measure == "mer":
        found = jiwer.process_words(mixed_tokens(reference), mixed_tokens(answer))
    else:
        found = jiwer.process_words(reference, answer)
    return [found.hits, found.substitutions, found.deletions, found.insertions]


def count(reference: Mapping[str, str], answered: Mapping[str, str]) -> Counts:
    """Compare the transcripts of all recordings of the reference.

    Args:
        reference: Reference transcripts by recording id.
        answered: Transcripts of the submission by recording id.
    """
    ids = sorted(reference, key=id_order)
    languages = np.array([language_of(reference[i]) for i in ids], dtype="U2")
    edits = {}
    for suffix, form in _FORMS.items():
        texts = [(form(reference[i]), form(answered.get(i, ""))) for i in ids]
        for measure, language in (("wer", "en"), ("cer", "zh"), ("mer", None)):
            edits[measure + suffix] = np.array(
                [
                    count_edits(measure, *pair) if language in (None, own) else [0, 0, 0, 0]
                    for pair, own in zip(texts, languages, strict=True)
                ],
                dtype=np.int64,
            ).reshape(-1, 4)
    missing = np.array([i not in answered for i in ids], dtype=bool)
    return Counts(ids, languages, missing, edits, len(answered.keys() - reference.keys()))


def scores(counts: Counts) -> dict[str, dict[str, Any]]:
    """Compute the rates of English (``en``), Mandarin (``zh``) and ``all`` recordings, with 95 % bootstrap intervals.

    Returns:
        For each: ``clips``, ``missing``; ``wer`` (en), ``cer`` (zh), ``mer`` and ``mer_per_file``, also with ``_norm``;
        and ``intervals``, lower and upper end of each rate. Undefined values are None.
    """
    return {language: _scores_of(counts, language) for language in _MEASURES}


def by_recording(counts: Counts) -> list[dict[str, Any]]:
    """Count the errors of each recording, in normalised mixed tokens.

    Returns:
        For each: ``recording_id``, ``language``, ``missing``, ``edits``, ``tokens`` (of the reference), ``mer_norm``.
    """
    return [
        {
            "recording_id": recording_id,
            "language": str(language),
            "missing": bool(missing),
            "edits": int(edits[SUBSTITUTIONS:].sum()),
            "tokens": int(edits[HITS:INSERTIONS].sum()),
            "mer_norm": _number(_rate(edits)),
        }
        for recording_id, language, missing, edits in zip(
            counts.ids, counts.languages, counts.missing, counts.edits["mer_norm"], strict=True
        )
    ]


def worst(counts: Counts, most: int = 10) -> list[dict[str, Any]]:
    """Return the recordings with the most edits, without those that have none; see ``by_recording``."""
    wrong = [row for row in by_recording(counts) if row["edits"]]
    return sorted(wrong, key=lambda row: -row["edits"])[:most]


def _scores_of(counts: Counts, language: str) -> dict[str, Any]:
    chosen = counts.languages == language if language != "all" else np.ones(len(counts.ids), bool)
    missing = counts.missing[chosen]
    names = [measure + form for measure in _MEASURES[language] for form in _FORMS]
    edits = np.stack([counts.edits[name][chosen] for name in names], axis=1)
    per_file = np.stack([_per_file(counts.edits[f"mer{form}"][chosen], missing) for form in _FORMS], axis=1)
    names += [f"mer_per_file{form}" for form in _FORMS]
    found: dict[str, Any] = {"clips": len(missing), "missing": int(missing.sum())}
    if not len(missing):
        nothing = dict.fromkeys(names)
        return found | nothing | {"intervals": nothing}
    rates = np.concatenate([_rate(edits.sum(axis=0)), per_file.mean(axis=0)])
    drawn = np.concatenate([_rate(resample(edits)), resample(per_file) / len(per_file)], axis=1)
    intervals = dict(zip(names, map(interval, drawn.T), strict=True))
    return found | dict(zip(names, map(_number, rates), strict=True)) | {"intervals": intervals}


def _rate(edits: np.ndarray) -> np.ndarray:
    """Divide edits by the tokens of the reference, over the last axis; NaN if there are no tokens."""
    tokens = edits[..., HITS:INSERTIONS].sum(axis=-1)
    wrong = edits[..., SUBSTITUTIONS:].sum(axis=-1)
    return np.divide(wrong, tokens, out=np.full(wrong.shape, np.nan), where=tokens > 0)


def _per_file(edits: np.ndarray, missing: np.ndarray) -> np.ndarray:
    wrong, everything = edits[:, SUBSTITUTIONS:].sum(axis=1), edits.sum(axis=1)
    shares = np.divide(wrong, everything, out=np.zeros(len(edits)), where=everything > 0)
    return np.where(missing, 1.0, shares)


def _number(value: np.ndarray) -> float | None:
    return None if np.isnan(value) else float(value)
