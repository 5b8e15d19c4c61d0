"""How well the demo's recognisers hear the clinic, measured as the pipeline uses them."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pipeline.corpus.grammar import Grammar
from pipeline.scoring.normalise import normalise
from pipeline.scoring.transcripts import count_edits
from pipeline.settings import demo_profile
from pipeline.speech.language import Language, language_of
from pipeline.speech.parakeet import Parakeet
from pipeline.speech.whisper import load_whisper
from pipeline.speech.words import Transcript, Word
from tuning.demo.corpus import Clip, read_clips

_PEOPLE = {"PATIENT", "DOCTOR", "FAMILYNAME", "PERSONALNAME", "USERNAME"}
_PLACES = {"HOSPITAL", "ORGANIZATION", "STREET", "CITY", "DISTRICT", "COUNTY"}


@dataclass(frozen=True)
class Heard:
    """A clip and what was made of it.

    Attributes:
        clip: The clip.
        names: The names that are said in it.
        routed: The language that Whisper's text told.
        transcript: The transcript that counts.
    """

    clip: Clip
    names: list[str]
    routed: Language
    transcript: Transcript


def hear(folder: Path, whisper_model: str, parakeet_model: str) -> list[Heard]:
    """Let Whisper hear all clips of a folder, and Parakeet those that seem English.

    Args:
        folder: A phase of the clinic's corpus, or the shipped clips.
        whisper_model: A Transformers folder.
        parakeet_model: A .nemo file.
    """
    settings = demo_profile()
    whisper = load_whisper(whisper_model, settings.whisper, "cpu")
    parakeet = Parakeet(parakeet_model, settings.parakeet, "cpu")
    entities = pq.read_table(folder / "entities.parquet").to_pylist()
    heard = []
    said = read_clips(folder)
    size = settings.parakeet.batch_size
    for clips in (said[i : i + size] for i in range(0, len(said), size)):
        samples = [clip.samples() for clip in clips]
        transcripts = whisper.transcribe(samples)
        routed = [language_of(transcript.text) for transcript in transcripts]
        english = [i for i, language in enumerate(routed) if language == "en"]
        for i, transcript in zip(english, parakeet.transcribe([samples[i] for i in english]), strict=True):
            transcripts[i] = transcript if transcript.text else transcripts[i]
        for clip, language, transcript in zip(clips, routed, transcripts, strict=True):
            recording_id = Path(clip.path).stem
            own = [row for row in entities if row["recording_id"] == recording_id and row["type"] in _PEOPLE | _PLACES]
            heard.append(Heard(clip, [row["text"] for row in own], language, transcript))
    return heard


def scores(heard: Sequence[Heard]) -> dict[str, Any]:
    """Score transcripts, all of one corpus.

    Returns:
        ``routed``: share of clips whose language was told right. By language: ``clips``; ``error_rate`` (words in
        English, characters in Mandarin, text normalised), also ``_without_unseen_names`` and ``_with_unseen_names``,
        of clips with a name that training never had; ``seen_names_right`` and ``unseen_names_right``: shares of names
        that were written right; ``word_start_off_s`` and ``word_end_off_s``: medians over the words that were heard
        right. What has no clips is None.
    """
    result: dict[str, Any] = {"routed": _share([item.routed == item.clip.language for item in heard])}
    for language in ("en", "zh"):
        some = [item for item in heard if item.clip.language == language]
        unseen = Grammar(language).has_test_name
        with_unseen = [item for item in some if any(map(unseen, item.names))]
        names = [(unseen(name), _is_said(name, item.transcript.text)) for item in some for name in item.names]
        off = [off for item in some for off in _times_off(item.clip.words, item.transcript.words)]
        starts, ends = zip(*off, strict=True) if off else ((), ())
        result[language] = {
            "clips": len(some),
            "error_rate": _error_rate(some),
            "error_rate_without_unseen_names": _error_rate([item for item in some if item not in with_unseen]),
            "error_rate_with_unseen_names": _error_rate(with_unseen),
            "seen_names_right": _share([right for is_unseen, right in names if not is_unseen]),
            "unseen_names_right": _share([right for is_unseen, right in names if is_unseen]),
            "word_start_off_s": _median(starts),
            "word_end_off_s": _median(ends),
        }
    return result


def _share(right: Sequence[bool]) -> float | None:
    return round(sum(right) / len(right), 4) if right else None


def _median(seconds: Sequence[float]) -> float | None:
    return round(float(np.median(seconds)), 3) if seconds else None


def _error_rate(some: Sequence[Heard]) -> float | None:
    edits = [
        count_edits(
            "cer" if item.clip.language == "zh" else "wer", normalise(item.clip.text), normalise(item.transcript.text)
        )
        for item in some
    ]
    hits, *wrong = np.sum(edits, axis=0) if edits else (0, 0, 0, 0)
    said = hits + wrong[0] + wrong[1]
    return round(float(sum(wrong) / said), 4) if said else None


def _is_said(name: str, text: str) -> bool:
    """Say whether a text holds a name, as whole words where it is English."""
    name, text = normalise(name), normalise(text)
    return f" {name} " in f" {text} " if name.isascii() else name in text


def _times_off(said: Sequence[Word], heard: Sequence[Word]) -> list[tuple[float, float]]:
    """Return by how many seconds starts and ends differ, for each word that was heard right."""
    left, right = ([normalise(word.text) for word in words] for words in (said, heard))
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    pairs = [
        (said[block.a + i], heard[block.b + i]) for block in matcher.get_matching_blocks() for i in range(block.size)
    ]
    return [(abs(one.start_s - other.start_s), abs(one.end_s - other.end_s)) for one, other in pairs]
